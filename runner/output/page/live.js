// --- A page that is served while its run goes on ---
// Its server sends each take that has changed, with the head of the run, and takes decisions.

const AGAIN_AFTER_MS = 3000;
const SEND_WITHIN_MS = 10000;
const MOST_SENT = 200;
// What looks at the whole board may take this share of the time at most.
const MOST_OF_TIME = 0.1;
const WRITES_IN = "textarea, input:not([type=range])";

const addressIn = (/** @type {string} */ name) => new URL(at(`meta[name="${name}"]`).content, document.baseURI);

/** What a live page hears of its run. */
class News {
  /** @param {Board} board */
  constructor(board) {
    this.board = board;
    /** The takes that were heard of since the last frame, by their ids. */
    this.takes = /** @type {Map<string, Take>} */ (new Map());
    /** Those that the whole board does not follow yet. */
    this.changed = /** @type {Set<Take>} */ (new Set());
    this.head = board.run;
    this.last = "";
    this.frame = 0;
    this.timer = 0;
    this.pause = 0;
    this.isOld = false;
    this.state = make("output", {}, "connecting");
    this.heard = make("span");
    this.away = make("p", { className: "away", hidden: true }, "Not connected; trying again. This page is live while shotrunner watch goes on.");
    at(".made").after(make("p", { className: "live" }, this.state, this.heard));
    at(".bar").append(this.away);
  }

  listen() {
    const address = addressIn("shotrunner-live");
    if (this.last) address.searchParams.set("after", this.last);
    const source = new EventSource(address);
    source.addEventListener("open", () => this.tell(true));
    source.addEventListener("error", () => {
      this.tell(false);
      // Otherwise the browser tries again by itself.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.listen(), AGAIN_AFTER_MS);
    });
    source.addEventListener("change", (event) => this.hear(event));
    source.addEventListener("reload", () => {
      if (!this.isOld) this.reload();
      this.isOld = true;
    });
  }

  /** Show whether the page hears of its run. */
  tell(/** @type {boolean} */ isThere) {
    const said = isThere ? "live" : "not connected; trying again";
    // The same words again would be read out again.
    if (this.state.value !== said) this.state.value = said;
    this.state.parentElement.classList.toggle("lost", !isThere);
    this.away.hidden = isThere;
    if (isThere) sendWords();
  }

  hear(/** @type {MessageEvent<string>} */ { data, lastEventId }) {
    const { head, takes } = JSON.parse(data);
    this.last = lastEventId;
    this.head = head;
    for (const take of takes) this.takes.set(take.id, take);
    this.heard.textContent = ` · last change ${new Date().toLocaleTimeString("en-GB")}`;
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Show on what is built now all that was heard since the last frame. */
  draw() {
    this.frame = 0;
    const changed = /** @type {Set<Take>} */ (new Set());
    for (const [id, news] of this.takes) {
      const take = picks.takes.get(id);
      // What is not known yet may come older than this, so it waits.
      if (!take && !parts.isComplete) continue;
      this.takes.delete(id);
      if (!take) continue;
      changed.add(Object.assign(take, news, { isWhole: true }));
      if (texts.has(take)) rememberWords(take);
      this.changed.add(take);
    }
    reread();
    this.board.refresh(changed);
    this.settleSoon();
  }

  settleSoon() {
    this.timer ||= setTimeout(() => this.settle(), this.pause);
  }

  /** Let all follow that depends on every take: the head, counts, filters, and which rows are shown. */
  async settle() {
    let spent = 0;
    try {
      for (const step of [this.showRun, this.showRows, this.showWords]) {
        const began = performance.now();
        step.call(this);
        spent += performance.now() - began;
        // What a person does in between comes first.
        await new Promise((resolve) => { setTimeout(resolve); });
      }
    } finally {
      this.pause = spent / MOST_OF_TIME;
      this.timer = 0;
    }
    if (this.changed.size) this.settleSoon();
  }

  showRun() {
    const { board } = this;
    const changed = () => board.change();
    Object.assign(board.run, this.head);
    board.headings.needs.needs = this.head.needs;
    head(board.run);
    overview(board.run, parts.isComplete ? board.all : []);
    showTotals(board.run.totals, changed);
    findFilters([...this.changed]);
    showFilters(changed);
    this.changed.clear();
  }

  showRows() {
    this.board.follow();
  }

  showWords() {
    // A screen reader would read each change out.
    at(".decided").ariaLive = "off";
    showDecisions(this.board);
  }

  /** Load the page again as soon as a person has nothing in hand that would be lost. */
  reload() {
    const isUnkept = !picks.isKept && unsavedTakes().length > 0;
    const isBusy = picks.isSending || isUnkept || rowInHand?.playing || at("dialog[open]") || document.activeElement.matches(WRITES_IN);
    if (!isBusy) return location.reload();
    at(".said").value = "The board has changed. This page loads again as soon as you have finished here.";
    setTimeout(() => this.reload(), AGAIN_AFTER_MS / 10);
  }
}

// --- Decisions, which are saved as they are made ---

const unsavedTakes = () => [...picks.said.keys()].map((id) => picks.takes.get(id)).filter((take) => take && !isSaved(take));

/** Send what is not saved, until all of it is, or the server does not answer. */
async function sendWords() {
  if (picks.isSending || !unsavedTakes().length) return;
  picks.isSending = true;
  const refused = /** @type {Set<Take>} */ (new Set());
  let problem = "";
  try {
    for (let takes = unsavedTakes(); takes.length; takes = unsavedTakes().filter((take) => !refused.has(take))) {
      // One that is refused must not hold up the others.
      const some = takes.slice(0, problem ? 1 : MOST_SENT);
      const refusal = await sent(some);
      if (refusal && some.length === 1) refused.add(some[0]);
      problem = refusal || problem;
    }
    if (!refused.size) problem = "";
  } catch (error) {
    problem = error.message;
  }
  picks.isSending = false;
  at(".bar .save").hidden = !problem;
  if (problem) at(".said").value = `Not saved: ${problem}. What you decided stays in this browser, and is sent again.`;
  else if (at(".said").value.startsWith("Not saved")) at(".said").value = "All that you decided is saved now.";
  written([]);
}

/** Send the words about these takes; return why they were refused, empty if they are saved. Throws if no answer comes. */
async function sent(/** @type {Take[]} */ takes) {
  const words = takes.map((take) => /** @type {[string, string]} */ ([take.id, wordOf(saidOf(take))]));
  // Until the answer nobody knows what is saved, so that taking a word back must be sent as well.
  for (const [id] of words) picks.written.set(id, "");
  keep();
  const body = JSON.stringify({ rows: picksRows(takes) });
  const request = { method: "POST", headers: { "Content-Type": "application/json" }, body, signal: AbortSignal.timeout(SEND_WITHIN_MS) };
  const answer = await fetch(addressIn("shotrunner-save"), request).catch(() => { throw new Error("the page's server does not answer"); });
  if (answer.ok) {
    picks.isSent = true;
    written(words);
    return "";
  }
  const { error = `the page's server answered HTTP ${answer.status}` } = await answer.json().catch(() => ({}));
  if (answer.status >= 500) throw new Error(error);
  return String(error);
}

/** Send what is not saved, and make a file of it if that fails. */
async function sendOrFile(/** @type {Board} */ board) {
  await sendWords();
  if (!unsavedTakes().length) return;
  saved(picksRows(board.all));
  at(".said").value = inDownloads(board.run);
}

/** Hear of the run, and send each decision as it is made. */
function goLive(/** @type {Board} */ board) {
  const news = new News(board);
  let isAsked = false;
  picks.save = sendOrFile;
  at(".bar .save").hidden = true;
  at(".unkept").textContent = "This browser keeps nothing for this page: do not close it before all is saved.";
  at("dialog.help p").textContent = "What you decide is saved at once.";
  at("dialog.name label").firstChild.textContent = "Your name, for your decisions ";
  at("dialog.name button").textContent = "Save";
  at("dialog.name").addEventListener("cancel", sendWords);
  document.addEventListener("decided", ({ detail }) => {
    if (!detail) return;
    if (isAsked) return void sendWords();
    isAsked = true;
    withName(sendWords);
  });
  // What a person has left may follow now.
  document.addEventListener("focusout", () => {
    if (board.isOwed) news.settleSoon();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!news.isOld && unsavedTakes().length) event.preventDefault();
  });
  news.listen();
  document.addEventListener("complete", () => news.draw());
}

additions.board.push(goLive);
