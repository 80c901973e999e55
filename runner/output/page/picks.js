// --- Decisions, which belong to the user ---
// They stay in the browser, and leave it as a file. Nothing else of the page is kept.

/**
 * @typedef {object} Said  a person's word about a take
 * @property {string} decision  pick, reject, maybe or nothing
 * @property {string} note
 * @property {string} who
 * @property {string} when  ISO 8601 in UTC
 */

const WHO = "shotrunner who";
const COLUMNS = ["shot", "take", "decision", "note", "who", "when"];

const picks = {
  /** False on a page that is only for looking and for comments. */
  isOpen: true,
  key: "",
  who: "",
  /** False if the browser keeps nothing for this page. */
  isKept: true,
  said: /** @type {Map<string, Said>} */ (new Map()),
  /** The takes of the page by their ids. */
  takes: /** @type {Map<string, Take>} */ (new Map()),
  /** What was written into a file, by the take's id. */
  written: /** @type {Map<string, string>} */ (new Map()),
  /** What the button does: it makes a file, or on a live page sends again what was not saved. */
  save: saveFile,
  /** True while a live page sends what is not saved yet, as is `isSent` once its server has saved something. */
  isSending: false,
  isSent: false,
};

const wordOf = (/** @type {Said} */ said) => `${said.decision}\n${said.note}`;

/** Return what is said of a take now: in the browser, or else in the file of picks. */
function saidOf(/** @type {Take} */ take) {
  return picks.said.get(take.id) ?? { decision: take.decision, note: take.remark, who: take.who, when: take.when };
}

const wordInFile = (/** @type {Take} */ take) => `${take.decision}\n${take.remark}`;

const isSaved = (/** @type {Take} */ take) => {
  const said = picks.said.get(take.id);
  return !said || wordOf(said) === (picks.written.get(take.id) ?? wordInFile(take));
};

/** Decide about a take; an empty decision takes the earlier one back. All who show the take hear `decided`. */
function decide(/** @type {Take} */ take, /** @type {string} */ decision) {
  if (!picks.isOpen) return;
  say(take, { ...saidOf(take), decision });
}

/** Note something about a take. */
function remark(/** @type {Take} */ take, /** @type {string} */ note) {
  say(take, { ...saidOf(take), note });
}

function say(/** @type {Take} */ take, /** @type {Said} */ said) {
  // The same page may be open twice, and neither may forget what is decided on the other.
  reread();
  // What was written of an earlier word is nothing to go by once the run's file has another.
  if (!picks.said.has(take.id)) picks.written.delete(take.id);
  picks.said.set(take.id, { ...said, who: picks.who, when: `${new Date().toISOString().slice(0, 19)}Z` });
  keep();
  document.dispatchEvent(new CustomEvent("decided", { detail: take }));
}

/** Read what an earlier visit left, and go on hearing what another window of the same page says. */
function recall(/** @type {string} */ key, /** @type {Take[]} */ takes) {
  picks.key = `shotrunner picks ${key}`;
  picks.takes = new Map(takes.map((take) => [take.id, take]));
  reread();
  window.addEventListener("storage", (event) => {
    if (event.key !== picks.key) return;
    reread();
    document.dispatchEvent(new CustomEvent("decided", { detail: null }));
  });
}

/** Return whether a value is a person's word: pages from the disk share one store, so anything may be in it. */
function isSaid(/** @type {any} */ value) {
  return ["pick", "reject", "maybe", ""].includes(value?.decision) && [value.note, value.who, value.when].every((each) => typeof each === "string");
}

/** Read what the browser keeps. A file that says the same, or something newer, replaces it. */
function reread() {
  if (picks.isKept) readStore();
  for (const [id, said] of picks.said) {
    const take = picks.takes.get(id);
    if (!take) continue;
    const isOlder = take.when > said.when || (take.when === said.when && isSaved(take));
    // What was taken back after it had been written must be written once more.
    if (!isOlder && !(wordOf(said) === wordInFile(take) && isSaved(take))) continue;
    picks.said.delete(id);
    picks.written.delete(id);
  }
}

function readStore() {
  try {
    picks.who = localStorage.getItem(WHO) ?? "";
    const { said = {}, written = {} } = JSON.parse(localStorage.getItem(picks.key) ?? "{}");
    picks.said = new Map(Object.entries(said).filter(([, each]) => isSaid(each)));
    picks.written = new Map(Object.entries(written));
  } catch {
    picks.isKept = false;
  }
}

function keep() {
  try {
    localStorage.setItem(WHO, picks.who);
    localStorage.setItem(picks.key, JSON.stringify({ said: Object.fromEntries(picks.said), written: Object.fromEntries(picks.written) }));
  } catch {
    picks.isKept = false;
  }
}

/** Return the rows of a file of picks: each take about which something is or was said. */
function picksRows(/** @type {Take[]} */ takes) {
  const rows = [];
  for (const take of takes) {
    const { decision, note, who, when } = saidOf(take);
    if (decision || note || picks.said.has(take.id)) rows.push([take.shot, take.id, decision, note, picks.said.has(take.id) ? who || picks.who : who, when]);
  }
  return rows;
}

/** Give the rows to the user as a file. This is the one place where decisions leave the page. */
function saved(/** @type {string[][]} */ rows, name = "picks.csv", columns = COLUMNS) {
  const href = URL.createObjectURL(new Blob([csvOf([columns, ...rows])], { type: "text/csv;charset=utf-8" }));
  make("a", { href, download: name }).click();
  URL.revokeObjectURL(href);
}

/** Write the decisions into a file, and remember that they are in one. */
function savePicks(/** @type {Take[]} */ takes) {
  saved(picksRows(takes));
  written(takes.filter((take) => picks.said.has(take.id)).map((take) => [take.id, wordOf(saidOf(take))]));
}

/** Remember that these words are saved, each by its take's id. */
function written(/** @type {[string, string][]} */ words) {
  for (const [id, word] of words) picks.written.set(id, word);
  keep();
  document.dispatchEvent(new CustomEvent("decided", { detail: null }));
}

/** Return rows as CSV (RFC 4180) with a BOM for spreadsheets. */
function csvOf(/** @type {string[][]} */ rows) {
  const cell = (/** @type {string} */ text) => {
    const safe = guarded(text);
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `\ufeff${rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("")}`;
}

// These are the rules of `system/csv_cells.py`, which explains them; a test compares the two.
const BLANKS = "[\\x01-\\x08\\x0b\\x0c\\x0e-\\x20\\x7f-\\xa0\\xad\\u034f\\u061c\\u115f\\u1160\\u1680\\u180b-\\u180f\\u2000-\\u200f"
  + "\\u2028-\\u202f\\u205f-\\u206f\\u2800\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0]*";
const STARTERS = "=+\\-@\\t\\r\\0\\u2212\\ufe62\\ufe63\\ufe66\\ufe6b\\uff0b\\uff0d\\uff1d\\uff20";
const JOINTS = ',;|\\t\\r\\n"';
const NUMBER = "-?[0-9]+(?:\\.[0-9]+)?(?:[eE][+\\-]?[0-9]+)?";
const RISKY = `(?! *${NUMBER} *(?:[${JOINTS}]|$))'*${BLANKS}[${STARTERS}]`;
const PLACE = new RegExp(`(?:^|(?<=[${JOINTS}]))(?=${RISKY})`, "gu");

/** Return a text that a spreadsheet cannot mistake for a formula. */
const guarded = (/** @type {string} */ text) => text.replace(PLACE, "'");

// --- What is decided in all ---

/** Return whether a shot needs no further look: one take is picked, or all takes with clips are rejected. */
function isDecided(/** @type {Row} */ row) {
  const words = row.every.filter((take) => take.clip).map((take) => saidOf(take).decision);
  return words.includes("pick") || (words.length > 0 && words.every((word) => word === "reject"));
}

const isUndecided = (/** @type {Row} */ row) => row.every.some((take) => take.clip) && !isDecided(row);

/** Return the decisions of all takes in words, and whether each of them is in a file. */
function decisionWords(/** @type {Row[]} */ rows) {
  const counts = { pick: 0, reject: 0, maybe: 0 };
  let unsaved = 0;
  let undecided = 0;
  for (const row of rows) {
    undecided += Number(isUndecided(row));
    for (const take of row.every) {
      const { decision } = saidOf(take);
      if (decision) counts[decision] += 1;
      unsaved += Number(!isSaved(take));
    }
  }
  const words = [`${counts.pick} picked`, `${counts.reject} rejected`, counts.maybe ? `${counts.maybe} maybe` : ""];
  return { words: [...words, `${undecided} ${undecided === 1 ? "shot" : "shots"} undecided`].filter(Boolean).join(", "), unsaved };
}
