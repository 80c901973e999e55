// --- The head: the whole run at a glance ---

/** Write the head, or write it again, as far as it is about the whole run. */
function head(/** @type {Head} */ run) {
  document.title = `${run.name} · contact sheet`;
  at(".banner").hidden = !run.simulated;
  at("h1").textContent = run.name;
  at(".made").textContent = run.made;
  renew(at(".meta"), spans(run.facts));
  renew(at(".causes"), run.causes.map((cause) => make("li", {}, cause)));
  at(".causes").hidden = !run.causes.length;
  if (run.mode === "runs") at("footer").textContent = `Made by shotrunner ${run.version} from the state files of these runs. The clips play from the folders of the runs; links to the service expire. To decide about takes, open the page of their run.`;
  if (run.mode === "run") at("footer").textContent = `Made by shotrunner ${run.version} from the run's state file. The clips play from the run's folder; links to the service expire.`;
}

/** Show times and money in tables, and the run over time. */
function overview(/** @type {Head} */ run, /** @type {Take[]} */ takes) {
  const figures = at(".figures");
  renew(figures, [run.models, run.classes].filter((table) => table.length).map(tableOf));
  at(".night").hidden = !drawNight(at(".night"), takes);
  at(".overview").hidden = !figures.childElementCount && at(".night").hidden;
}

/** Return a table of which the first row holds the heads, and the first cell of each other row its name. */
function tableOf(/** @type {string[][]} */ [heads, ...rows]) {
  const scope = (/** @type {Element} */ cell, /** @type {string} */ word) => { cell.setAttribute("scope", word); return cell; };
  const first = make("tr", {}, ...heads.map((text) => scope(make("th", {}, text), "col")));
  const others = rows.map(([name, ...cells]) => make("tr", {}, scope(make("th", {}, name), "row"), ...cells.map((text) => make("td", {}, text))));
  return make("table", {}, make("thead", {}, first), make("tbody", {}, ...others));
}

// --- The night as a timeline ---

const BINS = 96;
const TALL = 60;

/** Draw how many jobs were at the service and how they ended, over time; return false if there was no time. */
function drawNight(/** @type {HTMLElement} */ figure, /** @type {Take[]} */ takes) {
  const sent = takes.filter((take) => take.began !== null);
  const from = sent.reduce((least, take) => Math.min(least, take.began), Infinity);
  const to = sent.reduce((most, take) => Math.max(most, take.ended ?? take.began), -Infinity);
  if (!(to > from)) return false;
  const { going, good, bad } = binsOf(sent, from, to);
  const drawing = figure.querySelector("svg");
  drawing.replaceChildren();
  const shape = (/** @type {string} */ tag, /** @type {string} */ name, /** @type {Record<string, number | string>} */ attributes) => {
    const element = document.createElementNS(drawing.namespaceURI, tag);
    for (const [key, value] of Object.entries({ class: name, ...attributes })) element.setAttribute(key, String(value));
    drawing.append(element);
  };
  const mostGoing = Math.max(...going, 1);
  const mostEnded = Math.max(...good.map((count, bin) => count + bad[bin]), 1);
  const points = going.flatMap((count, bin) => [[bin, count], [bin + 1, count]]).map(([x, count]) => `${x},${TALL - (count / mostGoing) * TALL * 0.92}`);
  shape("polygon", "going", { points: `0,${TALL} ${points.join(" ")} ${BINS},${TALL}` });
  for (let bin = 0; bin < BINS; bin++) {
    const [up, down] = [good[bin], bad[bin]].map((count) => (count / mostEnded) * TALL * 0.75);
    if (up) shape("rect", "good", { x: bin + 0.15, y: TALL - up, width: 0.7, height: up });
    if (down) shape("rect", "bad", { x: bin + 0.15, y: TALL - up - down, width: 0.7, height: down });
  }
  const clock = (/** @type {number} */ unix) => new Date(unix * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: to - from < 600 ? "2-digit" : undefined });
  const ended = good.reduce((sum, count) => sum + count, 0);
  const failed = bad.reduce((sum, count) => sum + count, 0);
  drawing.setAttribute("aria-label", `From ${clock(from)} to ${clock(to)}: ${ended} rendered, ${failed} failed, at most ${mostGoing} at once.`);
  renew(figure.querySelector(".hours"), spans([0, 0.25, 0.5, 0.75, 1].map((share) => clock(from + share * (to - from)))));
  figure.querySelector(".most").textContent = `at most ${mostGoing} at once`;
  return true;
}

/** Return for each part of the time how many jobs were at the service, and how many ended well or not. */
function binsOf(/** @type {Take[]} */ sent, /** @type {number} */ from, /** @type {number} */ to) {
  const [going, good, bad] = [0, 0, 0].map(() => new Array(BINS).fill(0));
  const binOf = (/** @type {number} */ unix) => Math.min(BINS - 1, Math.floor(((unix - from) / (to - from)) * BINS));
  for (const take of sent) {
    const last = binOf(take.ended ?? to);
    for (let bin = binOf(take.began); bin <= last; bin++) going[bin] += 1;
    if (take.ended !== null) (take.failure ? bad : good)[last] += 1;
  }
  return { going, good, bad };
}

/** Return the heading of a part of the list; that of the takes that wait for a person says what to do. */
function headingOf(/** @type {{ title: string, needs: Head["needs"] }} */ { title, needs }) {
  const lines = needs.map(([kind, sentence, command]) => make("li", { className: kind }, `${sentence} `, make("code", {}, command)));
  return make("div", { className: "part" }, make("h2", {}, title), lines.length ? make("ul", {}, ...lines) : "");
}
