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
    this.shown = this.rows;
    /** The rows of the part that is on the page. */
    this.part = /** @type {Row[]} */ ([]);
    this.start = 0;
    this.row = /** @type {Row | undefined} */ (undefined);
    this.take = /** @type {Take | undefined} */ (undefined);
    this.list = new LongList(at(".list"), (item) => (item.title ? headingOf(item) : rowElement(item)), leaveRow);
  }

  // --- Showing ---

  /** Show what the choice says, from its first part. */
  change() {
    writeChoice();
    showChoice();
    this.shown = chosenRows(this.rows);
    const count = this.shown.reduce((sum, row) => sum + row.takes.length, 0);
    at(".shown").value = isFiltered() ? `${count.toLocaleString("en")} of ${this.all.length.toLocaleString("en")}` : "";
    at(".empty").textContent = this.all.length ? "No take fits." : "No takes yet.";
    this.show(0);
  }

  show(/** @type {number} */ start) {
    this.start = start;
    this.part = [];
    let takes = 0;
    for (let place = start; place < this.shown.length && takes < MOST_AT_ONCE; place++) {
      this.part.push(this.shown[place]);
      takes += this.shown[place].takes.length;
    }
    this.list.show(this.withHeadings());
    const end = start + this.part.length;
    at(".empty").hidden = this.part.length > 0;
    at(".parts").hidden = this.part.length === this.shown.length;
    at(".parts output").value = `shots ${start + 1}–${end} of ${this.shown.length}`;
    at(".before").disabled = start === 0;
    at(".after").disabled = end >= this.shown.length;
    at(".unprinted").hidden = takes <= MOST_PRINTED && end >= this.shown.length;
  }

  /** Return the rows with headings before them: what waits for a person comes first, if that is the order. */
  withHeadings() {
    const isWaiting = (/** @type {Row} */ row) => choice.sort === "needs" && row.takes.some(needOf);
    const waiting = this.part.filter(isWaiting);
    const others = this.part.filter((row) => !isWaiting(row));
    const part = (/** @type {string} */ title, /** @type {Row[]} */ rows, needs = []) => (rows.length ? [{ title, needs }, ...rows] : []);
    return [...part("Needs you", waiting, this.run.needs), ...part("The board", others)];
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
    this.take = this.all[Number(card.dataset.order)];
    this.row = this.part.find((row) => row.takes.includes(this.take));
    setHere(card);
    for (const other of document.querySelectorAll(".take.current")) other.classList.remove("current");
    card.classList.add("current");
    choice.take = this.take.label;
    writeChoice();
  }

  /** Go to a take of a row, and build it if it is not on the page yet. */
  goTo(/** @type {Row | undefined} */ row, /** @type {number} */ place) {
    const take = row?.takes[place];
    if (!take) return true;
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
    if (!this.take?.clip) return false;
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

/** Show in the bar what is decided in all, and whether it is in a file. */
function showDecisions(/** @type {Board} */ board) {
  const { words, unsaved } = decisionWords(board.rows);
  at(".decided").value = unsaved ? `${words} · ${unsaved} not saved` : words;
  at(".decisions").classList.toggle("waiting", unsaved > 0);
  at(".unkept").hidden = picks.isKept;
}

/** Let decisions be seen and saved. */
function withDecisions(/** @type {Board} */ board) {
  at(".save").addEventListener("click", () => {
    if (picks.who) return save();
    at("dialog.name").showModal();
  });
  at("dialog.name form").addEventListener("submit", () => {
    picks.who = at("dialog.name input").value.trim();
    save();
  });
  function save() {
    savePicks(board.all);
    at(".said").value = `picks.csv is in your downloads. Take it over with: ${board.run.importCommand}`;
  }
  document.addEventListener("decided", ({ detail }) => {
    for (const take of detail ? [detail] : built.keys()) showDecision(take);
    if (board.take) built.get(board.take)?.classList.add("current");
    showDecisions(board);
  });
  window.addEventListener("beforeunload", (event) => {
    // Elsewhere they are still there after a reload.
    if (!picks.isKept && decisionWords(board.rows).unsaved) event.preventDefault();
  });
  showDecisions(board);
}

async function main() {
  const run = await taken(at("script.run"));
  head(run);
  const all = await takesOf();
  overview(run, all);
  for (const add of additions.page) add(run, all);
  recall(run.key, all);
  findFilters(all);
  const board = new Board(run, all);
  makeFilters(run, () => board.change());
  readChoice();
  at(".unprinted").textContent = `At most ${MOST_PRINTED} takes are printed; filter for the others.`;
  at(".tools").hidden = false;
  const sought = choice.take;
  board.change();
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
}

main().catch((error) => {
  at(".empty").textContent = `This browser cannot show the takes (${error.message}). The same takes are in report.csv, beside this page.`;
  at(".empty").hidden = false;
});
