// --- The page ---

// No browser lays out a page of any height.
const MOST_AT_ONCE = 10000;

/** The rows on the page, the take that the keys mean, and what can be done with it. */
class Board {
  /** @param {Head} run @param {Take[]} all */
  constructor(run, all) {
    this.run = run;
    this.all = all;
    this.rows = rowsOf(all);
    this.rowOf = new Map(this.rows.map((row) => [row.shot, row]));
    this.shown = this.rows;
    /** The rows of the part that is on the page. */
    this.part = /** @type {Row[]} */ ([]);
    this.start = 0;
    this.row = /** @type {Row | undefined} */ (undefined);
    this.take = /** @type {Take | undefined} */ (undefined);
    /** True while a row in hand shows what does not fit any more. */
    this.isOwed = false;
    this.headings = { needs: { title: "Needs you", needs: run.needs }, board: { title: "The board", needs: [] } };
    this.list = new LongList(at(".list"), (item) => (item.title ? headingOf(item) : rowElement(item)), leaveRow);
  }

  // --- Showing ---

  /** Show what the choice says, from its first part. */
  change() {
    writeChoice();
    this.begin();
  }

  /** Show what the choice says, which is in the address. */
  begin() {
    showChoice();
    if (choice.words.trim() && parts.known) parts.words ??= readWords(this).catch(sayLost);
    at(".shown").ariaLive = "polite";
    this.shown = chosenRows(this.rows);
    this.show(0);
  }

  /** Take further takes in, which `complete` shows once all of them are here. */
  add(/** @type {Take[]} */ takes) {
    const grown = /** @type {Set<Row>} */ (new Set());
    for (const take of takes) {
      // The page shows some already, and has heard of them since.
      if (parts.takes[take.order]) continue;
      parts.takes[take.order] = take;
      picks.takes.set(take.id, take);
      this.all.push(take);
      grown.add(putInRow(this.rowOf, take));
    }
    for (const row of grown) {
      row.every.sort((one, other) => one.order - other.order);
      row.place = row.every[0].order;
      commons.delete(row.every);
    }
    const every = new Set([...grown].map((row) => row.every));
    for (const [row] of mounted) if (every.has(row.every)) showOthers(row);
    this.rows = [...this.rowOf.values()].sort((one, other) => one.place - other.place);
    this.tally();
  }

  /** Show all takes: every one is known now. */
  complete() {
    this.all.sort((one, other) => one.order - other.order);
    reread();
    overview(this.run, this.all);
    findFilters(this.all);
    showFilters(() => this.change());
    // A value that no take of the first had is a choice by now.
    readChoice();
    showChoice();
    this.follow();
    showDecisions(this);
    document.dispatchEvent(new CustomEvent("complete"));
  }

  /** Show on what is built that these takes have changed. */
  refresh(/** @type {Set<Take>} */ changed) {
    const shown = new Map(this.part.map((row) => [row.place, row]));
    for (const shot of new Set([...changed].map((take) => take.shot))) {
      const row = this.rowOf.get(shot);
      showChanges(shown.get(row.place) ?? row, changed);
    }
    document.dispatchEvent(new CustomEvent("changed", { detail: changed }));
  }

  show(/** @type {number} */ start) {
    this.cut(start);
    this.list.show(this.withHeadings());
  }

  /** Show what the choice says of takes that have changed since; all that stays is left alone. */
  follow() {
    // A screen reader would read each change out.
    at(".shown").ariaLive = "off";
    this.isOwed = false;
    const before = new Map(this.part.map((row) => [row.place, row]));
    this.shown = chosenRows(this.rows).map((row) => this.same(before.get(row.place), row));
    this.cut(this.start < this.shown.length ? this.start : 0);
    if (this.list.renew(this.withHeadings())) this.isOwed = true;
    this.part = this.list.items.filter((item) => item.takes);
    const heading = this.list.elementOf(this.headings.needs);
    if (heading) renew(heading, [...headingOf(this.headings.needs).children]);
  }

  /** Return the row that is on the page already, with the takes that fit now; a row in hand keeps all that it has. */
  same(/** @type {Row | undefined} */ old, /** @type {Row} */ row) {
    if (!old || old === row) return row;
    const kept = new Set(isInHand(mounted.get(old)?.element ?? null) ? [...old.takes, ...row.takes] : row.takes);
    if (kept.size > row.takes.length) this.isOwed = true;
    const takes = row.every.filter((take) => kept.has(take));
    if (takes.length === old.takes.length && takes.every((take, index) => take === old.takes[index])) return old;
    old.takes = takes;
    showOthers(old);
    return old;
  }

  /** Take a part of what is shown for the page, from the `start`-th row on. */
  cut(/** @type {number} */ start) {
    this.start = start;
    this.part = [];
    let takes = 0;
    for (let place = start; place < this.shown.length && takes < MOST_AT_ONCE; place++) {
      this.part.push(this.shown[place]);
      takes += this.shown[place].takes.length;
    }
    this.tally();
    at(".empty").textContent = this.all.length ? "No take fits." : "No takes yet.";
    const end = start + this.part.length;
    at(".empty").hidden = this.part.length > 0;
    at(".parts").hidden = this.part.length === this.shown.length;
    at(".parts output").value = `shots ${start + 1}–${end} of ${this.shown.length}`;
    at(".before").disabled = start === 0;
    at(".after").disabled = end >= this.shown.length;
    at(".unprinted").hidden = takes <= MOST_PRINTED && end >= this.shown.length;
  }

  /** Show how many takes fit, or how many are known so far. */
  tally() {
    const said = (/** @type {number} */ count, /** @type {number} */ all) => `${count.toLocaleString("en")} of ${all.toLocaleString("en")}`;
    const count = this.shown.reduce((sum, row) => sum + row.takes.length, 0);
    const fitting = isFiltered() ? said(count, this.all.length) : "";
    at(".shown").value = parts.isComplete ? fitting : `reading: ${said(this.all.length, parts.known.count)} takes`;
  }

  /** Return the rows with headings before them: what waits for a person comes first, if that is the order. */
  withHeadings() {
    const isWaiting = (/** @type {Row} */ row) => choice.sort === "needs" && row.takes.some(needOf);
    const waiting = this.part.filter(isWaiting);
    const others = this.part.filter((row) => !isWaiting(row));
    const part = (/** @type {{ title: string }} */ heading, /** @type {Row[]} */ rows) => (rows.length ? [heading, ...rows] : []);
    return [...part(this.headings.needs, waiting), ...part(this.headings.board, others)];
  }

  turn(/** @type {number} */ step) {
    if (step > 0) this.show(this.start + this.part.length);
    else {
      let start = this.start;
      for (let takes = 0; start > 0 && takes < MOST_AT_ONCE; start--) takes += this.shown[start - 1].takes.length;
      this.show(start);
    }
    at(".bar").scrollIntoView();
  }

  // --- Standing ---

  /** Remember that the focus is in a card. */
  stand(/** @type {HTMLElement} */ card) {
    this.take = takeOf.get(card);
    this.row = this.part.find((row) => row.takes.includes(this.take));
    setHere(card);
    for (const other of document.querySelectorAll(".take.current")) other.classList.remove("current");
    card.classList.add("current");
    choice.take = this.take.label;
    writeChoice();
  }

  /** Go to a take of a row, and build it if it is not built yet. A row that left the page is gone to no more. */
  goTo(/** @type {Row | undefined} */ row, /** @type {number} */ place) {
    const take = row?.takes[place];
    if (!take || !this.part.includes(row)) return true;
    this.list.reveal(row);
    showTakes(row, place + 1);
    const card = built.get(take);
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
    return true;
  }

  /** Go to the take that the address names, if it is on the page. */
  seek(/** @type {string} */ label) {
    const row = label && this.part.find((each) => each.takes.some((take) => take.label === label));
    if (row) this.goTo(row, row.takes.findIndex((take) => take.label === label));
  }

  move(/** @type {number} */ down, /** @type {number} */ right) {
    if (!this.row || !this.part.includes(this.row)) return this.goTo(this.firstInSight(), 0);
    const place = this.row.takes.indexOf(this.take);
    const row = this.part[this.part.indexOf(this.row) + down];
    return this.goTo(row, down ? Math.min(place, (row?.takes.length ?? 1) - 1) : place + right);
  }

  firstInSight() {
    const bottom = at(".bar").getBoundingClientRect().bottom;
    return this.part.find((row) => mounted.get(row)?.element.getBoundingClientRect().bottom > bottom) ?? this.part[0];
  }

  nextUndecided(/** @type {number} */ step) {
    const from = this.row ? this.part.indexOf(this.row) : (step > 0 ? -1 : this.part.length);
    for (let place = from + step; place >= 0 && place < this.part.length; place += step) {
      const row = this.part[place];
      if (isUndecided(row)) return this.goTo(row, Math.max(0, row.takes.findIndex((take) => take.clip && !saidOf(take).decision)));
    }
    at(".said").value = step > 0 ? "No later shot is undecided." : "No earlier shot is undecided.";
    return true;
  }

  // --- Acting on the take of the keys ---

  decideHere(/** @type {string} */ decision) {
    // Nobody decides about a take that has left the page.
    if (!this.take?.clip || !this.part.includes(this.row) || !this.row.takes.includes(this.take)) return false;
    decide(this.take, decision);
    return true;
  }

  play() {
    if (!this.row) return false;
    togglePlay(this.row);
    return true;
  }

  step(/** @type {number} */ frames) {
    if (!this.row) return false;
    playerOf(this.row)?.step?.(frames);
    return true;
  }

  open() {
    const takes = this.row?.takes.filter((take) => take.clip) ?? [];
    if (!takes.length) return false;
    openLightbox(takes, Math.max(0, takes.indexOf(this.take)));
    return true;
  }

  unfold() {
    const folded = this.take && built.get(this.take)?.querySelector("details");
    if (!folded) return false;
    folded.open = !folded.open;
    return true;
  }

  write() {
    const field = this.take && built.get(this.take)?.querySelector(".remark");
    field?.focus();
    return Boolean(field);
  }

  search() {
    at(".search input").focus();
  }

  forget() {
    if (!isFiltered()) return false;
    forgetChoice();
    this.change();
    return true;
  }
}

/** Show in the bar what is decided in all, and whether it is saved. */
function showDecisions(/** @type {Board} */ board) {
  const { words, unsaved } = decisionWords(board.rows);
  const missing = unsaved && !picks.isSending ? `${unsaved} not saved` : "";
  at(".decided").value = [words, missing || (picks.isSent && !unsaved ? "saved" : "")].filter(Boolean).join(" · ");
  at(".decisions").classList.toggle("waiting", unsaved > 0);
  at(".unkept").hidden = picks.isKept;
}

/** Ask for the person's name if it is not known, and then act. */
function withName(/** @type {() => void} */ act) {
  if (picks.who) return act();
  at("dialog.name form").onsubmit = () => {
    picks.who = at("dialog.name input").value.trim();
    act();
  };
  at("dialog.name").showModal();
}

/** Let decisions be seen and saved. */
function withDecisions(/** @type {Board} */ board) {
  at(".save").addEventListener("click", () => picks.save(board));
  document.addEventListener("decided", ({ detail }) => {
    for (const take of detail ? [detail] : built.keys()) showDecision(take);
    at(".decided").ariaLive = "polite";
    showDecisions(board);
  });
  window.addEventListener("beforeunload", (event) => {
    // Elsewhere they are still there after a reload.
    if (!picks.isKept && decisionWords(board.rows).unsaved) event.preventDefault();
  });
  showDecisions(board);
}

/** Save all decisions as a file, as a page from the disk does. */
function saveFile(/** @type {Board} */ board) {
  withName(async () => {
    await parts.ready;
    savePicks(board.all);
    at(".said").value = inDownloads(board.run);
  });
}

const inDownloads = (/** @type {Head} */ run) => `picks.csv is in your downloads. Take it over with: ${run.importCommand}`;

/** Make the page one without decisions: each run keeps its own, and takes of several may have the same id. */
function onlyShow() {
  picks.isOpen = false;
  at(".decisions").hidden = true;
  KEYS.splice(0, KEYS.length, ...KEYS.filter(([, says]) => !/pick|note|decision/.test(says)));
}

async function main() {
  const run = await taken(at("script.run"));
  head(run);
  parts.known = await taken(at("script.parts"));
  parts.isComplete = !parts.known;
  const all = await takesOf();
  for (const take of all) parts.takes[take.order] = take;
  overview(run, parts.isComplete ? all : []);
  at(".overview").open = matchMedia("(min-width: 60rem)").matches;
  for (const add of additions.page) add(run, all);
  if (run.mode === "runs") onlyShow();
  recall(run.key, all);
  findFilters(all);
  const board = new Board(run, all);
  makeFilters(run, () => board.change());
  readChoice();
  at(".unprinted").textContent = `At most ${MOST_PRINTED} takes are printed; filter for the others.`;
  at(".tools").hidden = false;
  const sought = choice.take;
  // What is not known yet must stay in the address.
  if (parts.isComplete) board.change();
  else board.begin();
  for (const add of additions.board) add(board);
  withDecisions(board);
  listen(board);
  printable(board.list);
  at(".before").addEventListener("click", () => board.turn(-1));
  at(".after").addEventListener("click", () => board.turn(1));
  window.addEventListener("hashchange", () => {
    readChoice();
    const sought = choice.take;
    board.change();
    board.seek(sought);
  });
  board.seek(sought);
  if (parts.isComplete) return;
  document.addEventListener("arrived", ({ detail }) => board.refresh(detail));
  parts.ready = readIndex(board).then(() => {
    if (!board.take) board.seek(sought);
  }, sayLost);
}

main().catch((error) => {
  at(".empty").textContent = `This browser cannot show the takes (${error.message}). The same takes are in report.csv, beside this page.`;
  at(".empty").hidden = false;
});
