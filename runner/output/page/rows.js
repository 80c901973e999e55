// --- One shot: a row of its takes ---

const MOST_IN_ROW = 60;

/** The rows that are built now, each with its element, its player once it has one, and how many takes it shows. */
const mounted = /** @type {Map<Row, { element: HTMLElement, player: any, shown: number }>} */ (new Map());
const rowOfElement = /** @type {WeakMap<Element, Row>} */ (new WeakMap());

/** Return a shot's row: its words on the left, its takes in a strip that scrolls sideways. */
function rowElement(/** @type {Row} */ row) {
  const strip = make("div", { className: "strip" });
  const element = make("section", {}, make("div", { className: "about" }), strip);
  element.setAttribute("aria-label", `shot ${row.shot}`);
  mounted.set(row, { element, player: null, shown: 0 });
  rowOfElement.set(element, row);
  showHead(row);
  showTakes(row, MOST_IN_ROW);
  return element;
}

/** Show in a built row the takes that it has now. A card that stays is left alone. */
function showOthers(/** @type {Row} */ row) {
  const place = mounted.get(row);
  if (!place) return;
  const strip = place.element.querySelector(".strip");
  const takes = row.takes.slice(0, Math.max(place.shown, MOST_IN_ROW));
  const staying = new Set(takes);
  for (const [take, card] of built) {
    if (card.parentElement !== strip || staying.has(take)) continue;
    built.delete(take);
    clear(card);
    card.remove();
  }
  let next = strip.firstElementChild;
  for (const take of takes) {
    if (built.get(take) === next && next) next = next.nextElementSibling;
    else strip.insertBefore(takeCard(row, take), next);
  }
  place.shown = takes.length;
  showTakes(row, takes.length);
  showHead(row);
}

/** Show in a built row what has changed about some of its takes. */
function showChanges(/** @type {Row} */ row, /** @type {Set<Take>} */ changed) {
  const before = commons.get(row.every);
  commons.delete(row.every);
  if (!mounted.has(row)) return;
  const textOf = (/** @type {any} */ common) => JSON.stringify({ ...common, values: [...common.values] });
  // What the takes of a shot share stands beside them, and not on their cards.
  const isShared = textOf(before) !== textOf(commonOf(row));
  for (const take of row.takes) if (built.has(take) && (isShared || changed.has(take))) showTake(row, take);
  showHead(row);
}

/** Show at least `count` takes of a row; a row may hold thousands. */
function showTakes(/** @type {Row} */ row, /** @type {number} */ count) {
  const place = mounted.get(row);
  const strip = place.element.querySelector(".strip");
  strip.querySelector(".further")?.remove();
  if (place.shown < Math.min(count, row.takes.length)) {
    // Its player knows only the takes that were shown before.
    place.player?.stop();
    place.player = null;
  }
  for (; place.shown < Math.min(count, row.takes.length); place.shown++) strip.append(takeCard(row, row.takes[place.shown]));
  if (!strip.querySelector("[data-here]")) setHere(strip.firstElementChild);
  // What all takes of a shot share is known when all are.
  whole(row.every.length <= MOST_IN_ROW ? row.every : row.takes.slice(0, place.shown));
  const left = row.takes.length - place.shown;
  if (left <= 0) return;
  const further = button(`${left.toLocaleString("en")} further takes`, "further plain");
  further.addEventListener("click", () => showTakes(row, place.shown + MOST_IN_ROW));
  strip.append(further);
}

/** Make a take the one of its row that the keys mean. */
function setHere(/** @type {HTMLElement | null} */ card) {
  if (!card) return;
  for (const other of card.parentElement.querySelectorAll("[data-here]")) delete other.dataset.here;
  card.dataset.here = "";
}

/** Show beside the takes of a row what they share, and what can be done with them. */
function showHead(/** @type {Row} */ row) {
  const { element } = mounted.get(row);
  const isPlaying = element.matches(".playing");
  element.className = `row few${Math.min(row.takes.length, 5)}${isPlaying ? " playing" : ""}`;
  const head = element.querySelector(".about");
  const { prompt, tags, notes, frames } = commonOf(row);
  const said = [make("h3", {}, row.shot)];
  if (prompt) {
    const isWhole = head.querySelector(".prompt.whole") !== null;
    const text = make("p", { className: isWhole ? "prompt whole" : "prompt", dir: "auto", title: prompt }, prompt);
    text.addEventListener("click", () => text.classList.toggle("whole"));
    said.push(text);
  }
  if (tags.length) said.push(make("p", { className: "tags" }, ...spans(tags)));
  if (notes) said.push(make("p", { className: "notes", dir: "auto" }, notes));
  if (frames.length) said.push(make("p", { className: "links" }, ...frames.map(inputPicture)));
  if (row.takes.some((take) => take.clip)) said.push(rowTools(row));
  renew(head, said);
}

function rowTools(/** @type {Row} */ row) {
  const play = button("▶ Play in step", "plain play", `Play all takes of ${row.shot} in step`);
  play.hidden = !row.takes.some(isPlayable);
  play.addEventListener("click", () => togglePlay(row));
  const compare = button("Compare", "plain compare", `Compare takes of ${row.shot}`);
  compare.addEventListener("click", () => openLightbox(row.takes.filter((take) => take.clip), 0));
  return make("div", { className: "rowtools" }, play, compare);
}

/** Play all takes of a row in step, or pause them. Another row that plays is stopped. */
function togglePlay(/** @type {Row} */ row) {
  for (const [other, { player }] of mounted) if (other !== row) player?.stop?.();
  playerOf(row)?.toggle?.();
}

/** Return what plays a row, made when it is first asked for; null for a row without clips. */
function playerOf(/** @type {Row} */ row) {
  const place = mounted.get(row);
  if (!place) return null;
  // Clips that play, or stand at a frame, go on without those that have come since.
  if (place.player?.clips) return place.player;
  const takes = row.takes.slice(0, place.shown).filter(isPlayable);
  if (!takes.length) return null;
  const stills = takes.map((take) => built.get(take).querySelector(".still"));
  for (const still of stills) hideMotion(still);
  place.player = mountRow(place.element, takes, stills);
  return place.player;
}

/** Forget a row whose element leaves the page. */
function leaveRow(/** @type {Element} */ element) {
  const row = rowOfElement.get(element);
  if (!row) return;
  mounted.get(row)?.player?.stop?.();
  mounted.delete(row);
  for (const take of row.takes) built.delete(take);
}
