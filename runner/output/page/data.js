"use strict";
// The page of one run. Its takes are data: only those near the screen become elements, so that any number can be shown.
// All words were made by `report_view.py`; text goes into the page as text, never as HTML.

/**
 * @typedef {object} Poster  checked links, null for each picture that is not there
 * @property {string | null} small
 * @property {string | null} large
 * @property {string | null} first  the first frame of the clip, as `last` is the last one
 * @property {string | null} last
 * @property {string | null} motion  a small clip without sound
 *
 * @typedef {[name: string, address: string, isLink: boolean, copy: string | null]} Input  `copy` is a small picture of it
 *
 * @typedef {object} Take  a `Card` of `report_view.py`
 * @property {string} id
 * @property {string} shot
 * @property {string} label  the short name, such as s010_t02
 * @property {number} number  within its shot, from 1
 * @property {string[]} point  swept values, `axis=value` each
 * @property {string} model
 * @property {string} standing
 * @property {[field: string, before: string, after: string][]} stale  what has changed in its row since
 * @property {string} note  why it failed or waits
 * @property {string} notes  the manifest's own
 * @property {string} failure  its class
 * @property {[kind: string, text: string][]} flags  what is odd about its clip
 * @property {[sentence: string, command: string]} advice
 * @property {string} decision  pick, reject, maybe or nothing, as the file of picks has it; so are `remark`, `who` and `when`
 * @property {string} remark
 * @property {string} who
 * @property {string} when  ISO 8601 in UTC
 * @property {[who: string, at: string, text: string][]} comments
 * @property {string} seed
 * @property {Poster | null} poster
 * @property {string | null} clip  a checked link, as is `sidecar`
 * @property {string | null} sidecar
 * @property {string[]} facts
 * @property {string[]} tags
 * @property {[url: string, isLink: boolean][]} outputs
 * @property {[name: string, text: string, isLink: boolean][]} inputs
 * @property {number} prompt  which of the inputs is the prompt, -1 for none
 * @property {Input[]} frames  the input pictures
 * @property {[name: string, text: string][]} details
 * @property {number | null} clipSeconds  measured, as is `fps`
 * @property {number | null} fps
 * @property {number | null} began  unix seconds, as is `ended`
 * @property {number | null} ended
 * @property {number | null} took  seconds
 * @property {number | null} cost  US dollars
 * @property {number} order  its place among all takes
 * @property {boolean} isWhole  false while `parts.js` has not read all of it
 *
 * @typedef {object} Row  a shot; `takes` are those that are shown, `every` are all
 * @property {string} shot
 * @property {number} place  in board order: that of its first take
 * @property {Take[]} takes
 * @property {Take[]} every
 *
 * @typedef {object} Head  what is said of the whole run, a `Head` of `report_head.py`
 * @property {string} mode  run; runs for several, without decisions; or share, or decide, for others
 * @property {string} key  names the run in the browser's store
 * @property {string} name
 * @property {boolean} simulated
 * @property {string} version
 * @property {string} made
 * @property {string[]} facts
 * @property {[state: string, count: number][]} totals
 * @property {string[]} causes
 * @property {string[][]} models  a table, the first row its heads, as is `classes`
 * @property {string[][]} classes
 * @property {[kind: string, sentence: string, command: string][]} needs
 * @property {string} importCommand
 */

/** What a page for others and a live page add: before the page is shown, to each card, and to the board once it is shown. */
const additions = {
  page: /** @type {((run: Head, takes: Take[]) => void)[]} */ ([]),
  card: /** @type {((take: Take) => Node)[]} */ ([]),
  board: /** @type {((board: Board) => void)[]} */ ([]),
};

const at = (/** @type {string} */ selector) => document.querySelector(selector);

/** Return the JSON value of a block of data, which leaves the page; null without a block. */
async function taken(/** @type {Element | null} */ block) {
  if (!block) return null;
  block.remove();
  return unpacked(block.textContent);
}

/** Return the JSON value of data in base64. */
async function unpacked(/** @type {string} */ text64) {
  const packed = atob(text64);
  const bytes = new Uint8Array(packed.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = packed.charCodeAt(at);
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(text).json();
}

/** Return the takes that the page holds, in their order. */
async function takesOf() {
  const takes = /** @type {Take[]} */ ([]);
  for (const block of document.querySelectorAll("script.takes")) {
    for (const take of await taken(block)) takes.push(Object.assign(take, { order: take.order ?? takes.length, isWhole: true }));
  }
  return takes;
}

/** Return the shots in the order in which their first takes come. */
function rowsOf(/** @type {Take[]} */ takes) {
  const rows = /** @type {Map<string, Row>} */ (new Map());
  for (const take of takes) putInRow(rows, take);
  return [...rows.values()];
}

/** Put a take into the row of its shot, made where it is missing; return the row. */
function putInRow(/** @type {Map<string, Row>} */ rows, /** @type {Take} */ take) {
  let row = rows.get(take.shot);
  if (!row) {
    const every = /** @type {Take[]} */ ([]);
    rows.set(take.shot, row = { shot: take.shot, place: take.order, takes: every, every });
  }
  row.every.push(take);
  return row;
}

/** Return the states of a take, among them stale and flagged. */
function statesOf(/** @type {Take} */ take) {
  return [take.standing, ...(take.stale.length ? ["stale"] : []), ...(take.flags.length ? ["flagged"] : [])];
}

// A file has the extension that its own bytes gave it when it was downloaded.
const isPicture = (/** @type {Take} */ take) => /\.(?:png|jpe?g|webp|gif|avif|bmp|tif)(?:\?|$)/i.test(take.clip ?? "");
const isSound = (/** @type {Take} */ take) => /\.(?:wav|mp3|aac|flac|m4a|ogg|opus|caf|amr|aiff)(?:\?|$)/i.test(take.clip ?? "");

/** Return whether a take has something that a player can play, which a picture is not. */
const isPlayable = (/** @type {Take} */ take) => take.clip !== null && !isPicture(take);

const promptOf = (/** @type {Take} */ take) => take.inputs[take.prompt]?.[1] ?? "";

/** What the takes of a shot have in common, by all its takes. */
const commons = new WeakMap();

/** Return what all takes of a shot share, empty where they differ, and how many of them have each swept value. */
function commonOf(/** @type {Row} */ row) {
  if (commons.has(row.every)) return commons.get(row.every);
  const [first] = row.every;
  const shared = (/** @type {(take: Take) => any} */ of) => {
    const text = JSON.stringify(of(first));
    return row.every.every((take) => JSON.stringify(of(take)) === text) ? of(first) : "";
  };
  const values = /** @type {Map<string, number>} */ (new Map());
  for (const value of row.every.flatMap(valuesOf)) values.set(value, (values.get(value) ?? 0) + 1);
  const [prompt, notes, tags, frames] = [promptOf, (take) => take.notes, (take) => take.tags, (take) => take.frames].map(shared);
  const common = { prompt, notes, tags, frames, values };
  commons.set(row.every, common);
  return common;
}

const valuesOf = (/** @type {Take} */ take) => (take.seed ? [...take.point, `seed=${take.seed}`] : take.point);

/** Return the values in which a take differs from the others of its shot; for a single take, its swept ones. */
function differing(/** @type {Row} */ row, /** @type {Take} */ take) {
  const { values } = commonOf(row);
  return row.every.length === 1 ? take.point : valuesOf(take).filter((value) => values.get(value) < row.every.length);
}

/** Return a new element with these properties and children; an empty text is left out. */
function make(/** @type {string} */ tag, properties = {}, .../** @type {(Node | string)[]} */ children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== ""));
  return element;
}

/** Return a button; without `isStop` the key of the same meaning is its way for the keyboard. */
function button(/** @type {string} */ text, /** @type {string} */ className, label = "", isStop = false) {
  const made = make("button", { type: "button", className, tabIndex: isStop ? 0 : -1 }, text);
  if (label) made.setAttribute("aria-label", label);
  return made;
}

/** Make `fresh` the children of an element, up to `end`. Equal ones stay, and so does what is selected in them. */
function renew(/** @type {Element} */ element, /** @type {Element[]} */ fresh, end = /** @type {Element | null} */ (null)) {
  let old = element.firstElementChild;
  for (const child of fresh) {
    if (old === end) element.insertBefore(child, end);
    else {
      const next = old.nextElementSibling;
      if (!old.isEqualNode(child)) old.replaceWith(child);
      old = next;
    }
  }
  while (old !== end) {
    const next = old.nextElementSibling;
    old.remove();
    old = next;
  }
}

/** Remove all that is in an element. A player that is only removed may go on loading its clip. */
function clear(/** @type {Element} */ element) {
  for (const video of element.querySelectorAll("video")) release(video);
  element.replaceChildren();
}

function release(/** @type {HTMLVideoElement} */ video) {
  video.removeAttribute("src");
  video.load();
}

const spans = (/** @type {string[]} */ texts) => texts.map((text) => make("span", {}, text));

const anchor = (/** @type {string} */ text, /** @type {string} */ href) => make("a", { href, rel: "noopener noreferrer" }, text);

/** Return a list of names, each with what belongs to it. */
function list(/** @type {[string, ...(Node | string)[]][]} */ rows, className = "") {
  return make("dl", { className }, ...rows.flatMap(([name, ...parts]) => [make("dt", {}, name), make("dd", {}, ...parts)]));
}
