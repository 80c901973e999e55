// --- Which takes are shown, and in which order ---
// The choice is in the address behind the #, so that a reload keeps it and a link passes it on.

const MOST_CHOICES = 60;
const NOTHING_DECIDED = "undecided";

const SORTS = {
  needs: "Needs you first",
  board: "Board order",
  flagged: "Flagged first",
  duration: "Longest job first",
  cost: "Highest cost first",
  newest: "Newest first",
};

const choice = {
  states: /** @type {Set<string>} */ (new Set()),
  /** Chosen values by the name of a filter: model, tag, pick, flag, or an axis. */
  only: /** @type {Map<string, string>} */ (new Map()),
  words: "",
  sort: "needs",
  take: "",
};

/** What each filter by value compares; `page.js` adds one for each axis of the board. */
const filters = /** @type {Map<string, { label: string, of: (take: Take) => string[], values: string[] }>} */ (new Map());

/** Return the word by which a take needs a person; empty if it does not. */
function needOf(/** @type {Take} */ take) {
  if (["held", "submitting"].includes(take.standing)) return "held";
  if (["failed", "undeliverable"].includes(take.standing)) return take.advice[0] ? take.standing : "";
  return take.flags.length && !saidOf(take).decision ? "flagged" : "";
}

/** Find the values by which the takes can be filtered: those of which there is more than one. None is forgotten later. */
function findFilters(/** @type {Take[]} */ takes) {
  const offers = {
    model: ["Model", (/** @type {Take} */ take) => [take.model]],
    tag: ["Tag", (/** @type {Take} */ take) => take.tags],
    flag: ["Flag", (/** @type {Take} */ take) => take.flags.map(([kind]) => kind)],
    failure: ["Failure", (/** @type {Take} */ take) => (take.failure ? [take.failure] : [])],
  };
  const axes = new Set(takes.flatMap((take) => take.point.map((value) => value.slice(0, value.indexOf("=")))));
  for (const axis of axes) {
    const prefix = `${axis}=`;
    offers[`axis.${axis}`] = [axis, (take) => take.point.filter((value) => value.startsWith(prefix)).map((value) => value.slice(prefix.length))];
  }
  for (const [name, [label, of]] of Object.entries(offers)) {
    const values = [...new Set([...filters.get(name)?.values ?? [], ...takes.flatMap(of)])].sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
    const isChoice = values.length > 1 || (["flag", "failure"].includes(name) && values.length > 0);
    if (isChoice && values.length <= MOST_CHOICES) filters.set(name, { label, of, values });
  }
  const decision = (/** @type {Take} */ take) => (take.clip ? [saidOf(take).decision || NOTHING_DECIDED] : []);
  filters.set("pick", { label: "Decision", of: decision, values: ["pick", "maybe", "reject", NOTHING_DECIDED] });
}

// --- Words ---

/** The words of each take in small letters, parted by single blanks, as they were when they were first searched. */
const texts = /** @type {WeakMap<Take, string>} */ (new WeakMap());

const plain = (/** @type {string} */ text) => ` ${text.toLowerCase().replace(/[^\p{L}\p{N}\p{M}]+/gu, " ").trim()}`;

function textOf(/** @type {Take} */ take) {
  if (!texts.has(take)) rememberWords(take);
  return texts.get(take);
}

const HASHES = new Set(["request", "sha256", "fingerprint"]);
/** The hashes of each take, as far as they were read. */
const codes = /** @type {WeakMap<Take, string[]>} */ (new WeakMap());

/** Remember by which words a take is found; `said` has what the take itself does not keep. */
function rememberWords(/** @type {Take} */ take, said = take) {
  const words = [said.id, said.label, said.shot, said.model, promptOf(said), said.tags.join(" "), said.notes, said.note, said.seed];
  texts.set(take, plain(words.join(" ")));
  codes.set(take, said.details.filter(([name]) => HASHES.has(name)).map(([, text]) => text));
}

/** Return whether a word of the search fits: it begins a word of the take, or behind # a hash, an id or a tag. */
function hasWord(/** @type {Take} */ take, /** @type {string} */ word) {
  const text = textOf(take);
  if (!word.startsWith("#")) return text.includes(plain(word));
  const sought = word.slice(1);
  return [...codes.get(take), ...take.tags].some((text) => text.toLowerCase().startsWith(sought));
}

// --- The choice applied ---

function fits(/** @type {Take} */ take, /** @type {string[]} */ words) {
  if (choice.states.size && !statesOf(take).some((state) => choice.states.has(state))) return false;
  for (const [name, value] of choice.only) if (!filters.get(name).of(take).includes(value)) return false;
  return words.every((word) => hasWord(take, word));
}

const isFiltered = () => choice.states.size > 0 || choice.only.size > 0 || choice.words.trim() !== "";

/** Return the rows of the takes that fit, in the order that is chosen. */
function chosenRows(/** @type {Row[]} */ rows) {
  const words = choice.words.toLowerCase().split(/\s+/).filter(Boolean);
  let found = rows;
  if (isFiltered()) {
    found = rows.map((row) => ({ ...row, takes: row.every.filter((take) => fits(take, words)) })).filter((row) => row.takes.length);
  }
  const most = (/** @type {Row} */ row, /** @type {(take: Take) => number} */ of) => row.takes.reduce((found, take) => Math.max(found, of(take)), 0);
  const ranks = {
    needs: (row) => Number(row.takes.some(needOf)),
    flagged: (row) => Number(row.takes.some((take) => take.flags.length)),
    duration: (row) => most(row, (take) => take.took ?? 0),
    cost: (row) => most(row, (take) => take.cost ?? 0),
    newest: (row) => most(row, (take) => take.ended ?? take.began ?? 0),
  };
  const rank = ranks[choice.sort];
  if (!rank) return found;
  const ranked = found.map((row) => /** @type {const} */ ([rank(row), row]));
  return ranked.sort(([one, row], [other, next]) => other - one || row.place - next.place).map(([, row]) => row);
}

// --- The address ---

function writeChoice() {
  const said = new URLSearchParams();
  if (choice.states.size) said.set("state", [...choice.states].join(","));
  for (const [name, value] of choice.only) said.set(name, value);
  if (choice.words.trim()) said.set("q", choice.words.trim());
  if (choice.sort !== "needs") said.set("sort", choice.sort);
  if (choice.take) said.set("take", choice.take);
  const hash = said.size ? `#${said}` : location.href.split("#")[0];
  try {
    if (`#${said}` !== (location.hash || "#")) history.replaceState(null, "", hash);
  } catch {
    // Some browsers let no page from the disk change its address; then a reload forgets the choice.
  }
}

function readChoice() {
  const said = new URLSearchParams(location.hash.slice(1));
  choice.states = new Set((said.get("state") ?? "").split(",").filter(Boolean));
  choice.only = new Map([...filters].filter(([name, { values }]) => values.includes(said.get(name))).map(([name]) => [name, said.get(name)]));
  choice.words = said.get("q") ?? "";
  choice.sort = Object.hasOwn(SORTS, said.get("sort") ?? "") ? said.get("sort") : "needs";
  choice.take = said.get("take") ?? "";
}

// --- Their controls ---

/** Make the controls, which call `changed` after each change of the choice. */
function makeFilters(/** @type {Head} */ run, /** @type {() => void} */ changed) {
  showTotals(run.totals, changed);
  showFilters(changed);
  const sort = selection("Sort", Object.entries(SORTS));
  sort.className = "sort";
  sort.addEventListener("change", () => {
    choice.sort = sort.value;
    changed();
  });
  at(".filters").append(make("label", { className: "choice" }, make("span", {}, "Sort"), sort));
  at(".search input").addEventListener("input", () => {
    choice.words = at(".search input").value;
    changed();
  });
  const choices = at(".choices");
  choices.addEventListener("toggle", () => at(".tools").classList.toggle("open", choices.open));
  at(".clear").addEventListener("click", () => {
    forgetChoice();
    changed();
  });
}

/** Show how many takes have each state. A chip that is there keeps its place, and one that is chosen stays at nothing. */
function showTotals(/** @type {Head["totals"]} */ totals, /** @type {() => void} */ changed) {
  let before = /** @type {Element | null} */ (null);
  for (const [word] of totals) {
    const chip = at(`.chip[data-state="${word}"]`) ?? chipOf(word, changed);
    if (!chip.parentElement) at(".chips").insertBefore(make("li", {}, chip), before ? before.nextSibling : at(".chips").firstChild);
    before = chip.parentElement;
  }
  const counts = new Map(totals);
  for (const chip of document.querySelectorAll(".chip")) {
    const count = counts.get(chip.dataset.state) ?? 0;
    chip.firstChild.textContent = count.toLocaleString("en");
    chip.parentElement.hidden = !count && !choice.states.has(chip.dataset.state);
  }
}

function chipOf(/** @type {string} */ word, /** @type {() => void} */ changed) {
  const chip = button("", `chip ${word}`, "", true);
  chip.append(make("b"), ` ${word}`);
  chip.dataset.state = word;
  chip.ariaPressed = String(choice.states.has(word));
  chip.addEventListener("click", () => {
    if (!choice.states.delete(word)) choice.states.add(word);
    changed();
  });
  return chip;
}

/** Show the filters by value, each with all its values. */
function showFilters(/** @type {() => void} */ changed) {
  const there = new Map([...document.querySelectorAll("select[data-filter]")].map((select) => [select.dataset.filter, select]));
  for (const [name, { label, values }] of filters) {
    const select = there.get(name) ?? filterOf(name, label, changed);
    if (select.options.length > values.length) continue;
    select.replaceChildren(...optionsOf([["", "all"], ...values.map((value) => [value, value])]));
    select.value = choice.only.get(name) ?? "";
  }
}

function filterOf(/** @type {string} */ name, /** @type {string} */ label, /** @type {() => void} */ changed) {
  const select = selection(label, []);
  select.dataset.filter = name;
  select.addEventListener("change", () => {
    if (select.value) choice.only.set(name, select.value);
    else choice.only.delete(name);
    changed();
  });
  at(".filters").insertBefore(make("label", { className: "choice" }, make("span", {}, label), select), at(".sort")?.parentElement ?? null);
  return select;
}

function forgetChoice() {
  choice.states.clear();
  choice.only.clear();
  choice.words = "";
}

function selection(/** @type {string} */ label, /** @type {[string, string][]} */ options) {
  const select = make("select", {}, ...optionsOf(options));
  select.setAttribute("aria-label", label);
  return select;
}

const optionsOf = (/** @type {[string, string][]} */ options) => options.map(([value, text]) => make("option", { value }, text));

/** Show the choice in the controls. */
function showChoice() {
  for (const chip of document.querySelectorAll(".chip")) chip.ariaPressed = String(choice.states.has(chip.dataset.state));
  for (const select of document.querySelectorAll("select[data-filter]")) select.value = choice.only.get(select.dataset.filter) ?? "";
  at(".sort").value = choice.sort;
  const field = at(".search input");
  if (field.value.trim() !== choice.words.trim()) field.value = choice.words;
  at(".clear").hidden = !isFiltered();
  at(".choices summary").classList.toggle("set", choice.only.size > 0 || choice.sort !== "needs");
}
