"use strict";
// The page of one run. Its takes are data: only those near the screen become elements, so that any number can be shown.
// All words were made by `report_view.py`; text goes into the page as text, never as HTML.

/**
 * @typedef {object} Take  a `Card` of `report_view.py`
 * @property {string} id
 * @property {string} shot
 * @property {string[]} point  swept values, `axis=value` each
 * @property {string} model
 * @property {string} standing
 * @property {[field: string, before: string, after: string][]} stale  what has changed in its row since
 * @property {string} note
 * @property {string} seed
 * @property {string | null} clip  a checked link, as is `sidecar`
 * @property {string | null} sidecar
 * @property {string[]} facts
 * @property {string[]} tags
 * @property {[url: string, isLink: boolean][]} outputs
 * @property {[name: string, text: string, isLink: boolean][]} inputs
 * @property {number} prompt  which of the inputs is the prompt, -1 for none
 * @property {[name: string, text: string][]} details
 *
 * @typedef {object} Head  what is said of the whole run
 * @property {string} name
 * @property {boolean} simulated
 * @property {string} version
 * @property {string[]} facts
 * @property {[state: string, count: number][]} totals
 * @property {string[]} causes
 */

const GROUP_ROWS = 3;
// No browser lays out a page of any height, and Chromium makes a thousand players at most.
const MOST_AT_ONCE = 10000;
const MOST_PRINTED = 900;

/** Return the JSON value of a block of data, which leaves the page. */
async function taken(/** @type {Element} */ block) {
  const packed = atob(block.textContent);
  block.remove();
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = packed.charCodeAt(at);
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(text).json();
}

/** Return a new element with these properties and children; an empty text is left out. */
function make(/** @type {string} */ tag, properties = {}, .../** @type {(Node | string)[]} */ children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== ""));
  return element;
}

/** Remove all that is in an element. A player that is only removed may go on loading its clip. */
function clear(/** @type {Element} */ element) {
  for (const video of element.querySelectorAll("video")) {
    video.removeAttribute("src");
    video.load();
  }
  element.replaceChildren();
}

const spans = (/** @type {string[]} */ texts) => texts.map((text) => make("span", {}, text));

const anchor = (/** @type {string} */ text, /** @type {string} */ href) => make("a", { href, rel: "noopener noreferrer" }, text);

// --- One take ---

/** Return the card of a take, which is the `number`-th of `count`. */
function card(/** @type {Take} */ take, /** @type {number} */ number, /** @type {number} */ count) {
  const article = make("article", { className: `take ${take.standing}`, ariaPosInSet: String(number), ariaSetSize: String(count) });
  article.dataset.state = statesOf(take).join(" ");
  const title = make("h2", { id: `t${number}` }, make("span", { className: "shot" }, take.shot));
  for (const axis of take.point) title.append(" ", make("span", { className: "axis" }, axis));
  article.setAttribute("aria-labelledby", title.id);
  article.append(film(take, number), make("div", { className: "body" }, title, line(take), ...remarks(take), details(take)));
  return article;
}

const statesOf = (/** @type {Take} */ take) => (take.stale.length ? [take.standing, "stale"] : [take.standing]);

function film(/** @type {Take} */ take, /** @type {number} */ number) {
  const edge = make("div", { className: "edge" }, make("span", {}, String(number).padStart(2, "0")), make("span", { className: "gate" }, take.model));
  const still = take.clip ? player(take) : make("div", { className: "blank" }, make("span", {}, take.standing));
  return make("div", { className: "film" }, edge, still);
}

function player(/** @type {Take} */ take) {
  const video = make("video", { controls: !hovers, playsInline: true, preload: "metadata", src: `${take.clip}#t=0.1` });
  video.setAttribute("aria-label", `clip of ${take.id}`);
  // Controls darken a still frame. With a mouse they appear on hover or focus, and hide again while the clip is paused.
  if (hovers) {
    video.tabIndex = 0;
    const show = () => { video.controls = true; };
    const rest = () => { video.controls = !video.paused || video.matches(":hover, :focus"); };
    for (const name of ["pointerenter", "focus"]) video.addEventListener(name, show);
    for (const name of ["pointerleave", "blur"]) video.addEventListener(name, rest);
  }
  return video;
}

function line(/** @type {Take} */ take) {
  const states = statesOf(take).map((state) => make("span", { className: `state ${state}` }, state));
  return make("p", { className: "line" }, ...states, ...spans([take.seed && `seed ${take.seed}`, ...take.facts].filter(Boolean)));
}

/** Return what a card says below its first line, as far as there is something to say. */
function remarks(/** @type {Take} */ take) {
  const said = [];
  if (take.note) said.push(make("p", { className: "note" }, take.note));
  if (take.stale.length) {
    said.push(make("p", { className: "note" }, "The row of this take has changed since. This clip was made from the values that are struck out."));
    said.push(list(take.stale.map(([field, before, after]) => [field, make("del", {}, before), " → ", make("ins", {}, after)]), "changed"));
  }
  const [, prompt] = take.inputs[take.prompt] ?? [];
  if (prompt) said.push(make("p", { className: "prompt", dir: "auto" }, prompt));
  if (take.tags.length) said.push(make("p", { className: "tags" }, ...spans(take.tags)));
  const links = take.clip ? [anchor("clip", take.clip), anchor("data", take.sidecar)] : [];
  take.outputs.forEach(([url, isLink], index) => {
    const text = take.outputs.length > 1 ? `output ${index + 1}` : "output link";
    links.push(isLink ? anchor(text, url) : make("span", { className: "dead" }, text));
  });
  if (links.length) said.push(make("p", { className: "links" }, ...links));
  return said;
}

/** Return a list of names, each with what belongs to it. */
function list(/** @type {[string, ...(Node | string)[]][]} */ rows, className = "") {
  return make("dl", { className }, ...rows.flatMap(([name, ...parts]) => [make("dt", {}, name), make("dd", {}, ...parts)]));
}

/** Return the part of a card that is folded in, and filled when it is first opened. */
function details(/** @type {Take} */ take) {
  const folded = make("details", {}, make("summary", {}, "Details"));
  folded.addEventListener("toggle", () => {
    if (folded.childElementCount > 1) return;
    const outputs = take.outputs.map(([url]) => ["output", url]);
    const inputs = take.inputs.map(([name, text, isLink]) => [name, isLink ? anchor(text, text) : text]);
    folded.append(list([["take", take.id], ["model", take.model], ...take.details, ...outputs]), make("h3", {}, "Inputs as sent"), list(inputs));
  });
  return folded;
}

// --- A list of any length ---

/** Shows items in groups of whole rows: a group near the screen is built, one far from it is an empty box of its size. */
class LongList {
  /** @param {HTMLElement} root @param {(item: any) => HTMLElement} build */
  constructor(root, build) {
    this.root = root;
    this.build = build;
    this.columns = 0;
    this.items = /** @type {any[]} */ ([]);
    this.groups = /** @type {Map<Element, any[]>} */ (new Map());
    this.near = new IntersectionObserver((seen) => this.move(seen), { rootMargin: "100% 0px" });
    new ResizeObserver(() => this.regroup()).observe(root);
  }

  /** Show these items instead of those before. */
  show(/** @type {any[]} */ items) {
    this.near.disconnect();
    this.groups.clear();
    clear(this.root);
    this.items = items;
    this.columns = this.columnsThatFit();
    const size = this.columns * GROUP_ROWS;
    for (let at = 0; at < items.length; at += size) {
      this.groups.set(this.root.appendChild(make("div", { className: "group" })), items.slice(at, at + size));
    }
    let row = 0;
    for (const [group, part] of this.groups) {
      const rows = Math.ceil(part.length / this.columns);
      if (row) group.style.height = `${row * rows}px`;
      else {
        this.fill(group);
        row = group.offsetHeight / rows;
      }
      this.near.observe(group);
    }
  }

  /** Show the same items at the same place when another number of columns fits. */
  regroup() {
    if (this.columns === this.columnsThatFit()) return;
    const first = [...this.groups].find(([group]) => group.getBoundingClientRect().bottom > 0)?.[1][0];
    const hasScrolled = window.scrollY > 0;
    this.show(this.items);
    if (hasScrolled) [...this.groups].find(([, part]) => part.includes(first))?.[0].scrollIntoView();
  }

  columnsThatFit() {
    const probe = this.root.appendChild(make("div", { className: "group" }));
    const columns = getComputedStyle(probe).gridTemplateColumns.split(" ").length;
    probe.remove();
    return columns;
  }

  move(/** @type {IntersectionObserverEntry[]} */ seen) {
    for (const { isIntersecting, target } of seen) {
      if (isIntersecting) this.fill(target);
      else this.empty(target);
    }
  }

  fill(/** @type {Element} */ group) {
    if (group.firstChild) return;
    group.append(...this.groups.get(group).map(this.build));
    group.style.height = "";
  }

  empty(/** @type {Element} */ group) {
    // What a person has opened or stands in stays as it is.
    if (!group.firstChild || group.contains(document.activeElement) || group.querySelector("details[open]")) return;
    group.style.height = `${group.offsetHeight}px`;
    clear(group);
  }

  /** Build at least the first `count` items, for paper. */
  fillFirst(/** @type {number} */ count) {
    for (const [group, part] of this.groups) {
      if (count > 0) this.fill(group);
      count -= part.length;
    }
  }

  /** Empty again what is far from the screen. */
  settle() {
    for (const group of this.groups.keys()) {
      this.near.unobserve(group);
      this.near.observe(group);
    }
  }
}

// --- The page ---

const hovers = matchMedia("(hover: hover)").matches;
const at = (/** @type {string} */ selector) => document.querySelector(selector);

/** Write the head, as far as it is about the whole run. */
function head(/** @type {Head} */ run) {
  document.title = `${run.name} · contact sheet`;
  at(".banner").hidden = !run.simulated;
  at("h1").append(run.name);
  at(".meta").append(...spans(run.facts));
  at(".causes").append(...run.causes.map((cause) => make("li", {}, cause)));
  at(".causes").hidden = !run.causes.length;
  for (const [word, count] of run.totals) {
    const chip = make("button", { type: "button", className: `chip ${word}`, ariaPressed: "false" }, make("b", {}, count.toLocaleString("en")), ` ${word}`);
    chip.dataset.state = word;
    at(".chips").append(make("li", {}, chip));
  }
  at("footer").append(`Made by shotrunner ${run.version} from the run's state file. The clips play from the folder beside this page; links to the service expire.`);
}

/** Show the takes, and let them be filtered by state and by words. */
function sheet(/** @type {Take[]} */ all) {
  const numbers = new Map(all.map((take, index) => [take, index + 1]));
  const list = new LongList(at(".list"), (take) => card(take, numbers.get(take), all.length));
  const field = at(".search input");
  const texts = /** @type {Map<Take, string>} */ (new Map());
  // A held take waits for a person, so it comes first.
  const ordered = [...all.filter((take) => take.standing === "held"), ...all.filter((take) => take.standing !== "held")];
  let fitting = ordered;
  let start = 0;

  function textOf(/** @type {Take} */ take) {
    if (!texts.has(take)) texts.set(take, Object.values(take).flat(Infinity).join("\n").toLowerCase());
    return texts.get(take);
  }

  function filter() {
    const states = new Set([...document.querySelectorAll('.chip[aria-pressed="true"]')].map((chip) => chip.dataset.state));
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (/** @type {Take} */ take) => (!states.size || statesOf(take).some((state) => states.has(state))) && words.every((word) => textOf(take).includes(word));
    fitting = states.size || words.length ? ordered.filter(fits) : ordered;
    at(".shown").value = fitting === ordered ? "" : `${fitting.length} of ${all.length}`;
    show(0);
  }

  function show(/** @type {number} */ from) {
    start = from;
    const part = fitting.slice(start, start + MOST_AT_ONCE);
    list.show(part);
    at(".empty").textContent = all.length ? "No take fits." : "No takes yet.";
    at(".empty").hidden = part.length > 0;
    at(".parts").hidden = fitting.length <= MOST_AT_ONCE;
    at(".parts output").value = `${start + 1}–${start + part.length} of ${fitting.length}`;
    at(".before").disabled = start === 0;
    at(".after").disabled = start + part.length >= fitting.length;
  }

  function turn(/** @type {number} */ step) {
    show(start + step * MOST_AT_ONCE);
    at(".tools").scrollIntoView();
  }

  at(".chips").addEventListener("click", ({ target }) => {
    const chip = target.closest(".chip");
    if (!chip) return;
    chip.ariaPressed = String(chip.ariaPressed !== "true");
    filter();
  });
  field.addEventListener("input", filter);
  at(".before").addEventListener("click", () => turn(-1));
  at(".after").addEventListener("click", () => turn(1));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input")) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && event.target === field) {
      field.value = "";
      filter();
    }
  });
  window.addEventListener("beforeprint", () => {
    list.fillFirst(MOST_PRINTED);
    at(".unprinted").hidden = fitting.length - start <= MOST_PRINTED;
  });
  window.addEventListener("afterprint", () => list.settle());
  at(".unprinted").textContent = `At most ${MOST_PRINTED} takes are printed; filter for the others.`;
  at(".tools").hidden = false;
  show(0);
}

async function main() {
  head(await taken(at("script.run")));
  const takes = [];
  for (const block of document.querySelectorAll("script.takes")) takes.push(...await taken(block));
  sheet(takes);
}

main().catch((error) => {
  at(".empty").textContent = `This browser cannot show the takes (${error.message}). The same takes are in report.csv, beside this page.`;
  at(".empty").hidden = false;
});
