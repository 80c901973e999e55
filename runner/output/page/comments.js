// --- Comments, on a page for others ---
// They stay in the browser, and leave it as a file that is sent back.

/**
 * @typedef {object} Comment
 * @property {number | null} at  seconds into the clip, null for the clip as a whole
 * @property {string} text
 * @property {string} when  ISO 8601 in UTC
 */

const COMMENT_COLUMNS = [...COLUMNS, "at"];

const comments = {
  key: "",
  /** By the take's label, in the order of writing. */
  said: /** @type {Map<string, Comment[]>} */ (new Map()),
};

const commentsOn = (/** @type {Take} */ take) => comments.said.get(take.id) ?? [];

/** Return a place in a clip as `0:02.50`. */
const placeText = (/** @type {number} */ seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;

/** Return what a file of comments holds: each comment, and each decision that was made on this page. */
function commentRows(/** @type {Take[]} */ takes) {
  const own = new Set(takes.filter((take) => picks.said.has(take.id)).map((take) => take.id));
  const decisions = picksRows(takes).filter(([, take]) => own.has(take)).map((row) => [...row, ""]);
  const written = takes.flatMap((take) => commentsOn(take).map(({ at, text, when }) => [take.shot, take.id, "", text, picks.who, when, at === null ? "" : at.toFixed(2)]));
  return [...decisions, ...written];
}

/** Read what the browser keeps: the page may be open twice, and neither may forget what is written on the other. */
function rereadComments() {
  if (!picks.isKept) return;
  try {
    comments.said = new Map(Object.entries(JSON.parse(localStorage.getItem(comments.key) ?? "{}")));
  } catch {
    picks.isKept = false;
  }
}

function keepComments() {
  try {
    localStorage.setItem(comments.key, JSON.stringify(Object.fromEntries(comments.said)));
    localStorage.setItem(WHO, picks.who);
  } catch {
    picks.isKept = false;
    at(".unkept").hidden = false;
  }
}

// --- The bar ---

/** Make the page one for others: without decisions, unless they are asked for, and with its own file. */
function addComments(/** @type {Head} */ run, /** @type {Take[]} */ takes) {
  picks.isOpen = run.mode === "decide";
  if (!picks.isOpen) KEYS.splice(0, KEYS.length, ...KEYS.filter(([, says]) => !/pick|note|decision/.test(says)));
  KEYS.splice(0, KEYS.length, ...KEYS.filter(([key]) => key !== "d" && key !== "e"));
  document.body.classList.add("shared");
  at(".search input").placeholder = "Search";
  at(".banner").replaceChildren(make("strong", {}, "SIMULATED"), " ", make("span", {}, "A simulator drew these clips."));
  at("footer").append("Your comments stay in this browser until you save them as a file. Send the file to whom you have this page from.");
  comments.key = `shotrunner comments ${run.key}`;
  rereadComments();
  at(".tools").append(commentBar(takes));
  window.addEventListener("storage", ({ key }) => {
    if (key !== comments.key) return;
    rereadComments();
    for (const take of built.keys()) listAll(take);
    document.dispatchEvent(new CustomEvent("commented"));
  });
  window.addEventListener("beforeunload", (event) => {
    // Elsewhere they are still there after a reload.
    if (!picks.isKept && takes.some((take) => commentsOn(take).length)) event.preventDefault();
  });
}

function commentBar(/** @type {Take[]} */ takes) {
  const count = make("output", { className: "commented" });
  count.setAttribute("aria-live", "polite");
  const name = make("input", { type: "text", autocomplete: "name", placeholder: "Your name" });
  name.setAttribute("aria-label", "Your name");
  const save = button("Save comments.csv", "save", "", true);
  const show = () => {
    const written = takes.reduce((sum, take) => sum + commentsOn(take).length, 0);
    count.value = `${written} ${written === 1 ? "comment" : "comments"}`;
    save.disabled = !commentRows(takes).length;
    // The page reads the name when it recalls its decisions, which is later than this bar is made.
    if (name !== document.activeElement) name.value = picks.who;
  };
  name.addEventListener("input", () => {
    picks.who = name.value.trim();
    keepComments();
  });
  save.addEventListener("click", () => {
    saved(commentRows(takes), "comments.csv", COMMENT_COLUMNS);
    at(".said").value = "comments.csv is in your downloads. Send it to whom you have this page from.";
  });
  document.addEventListener("commented", show);
  document.addEventListener("decided", show);
  queueMicrotask(show);
  return make("div", { className: "commentbar" }, count, name, save);
}

// --- One card ---

/** Return the box in which comments on a take are written and shown. */
function commentBox(/** @type {Take} */ take) {
  const written = make("ul", { className: "written" });
  written.dataset.take = take.label;
  const text = make("textarea", { rows: 2, placeholder: "Comment", tabIndex: -1 });
  text.setAttribute("aria-label", `comment on ${take.label}`);
  const place = make("output", { className: "place" });
  const add = button("Add", "plain add", `Add the comment on ${take.label}`);
  const play = button("▶ Play", "plain watch", `Play ${take.label} with sound`);
  const box = make("div", { className: "commenting", role: "group" }, play, written, text, make("div", { className: "adding" }, place, add));
  box.setAttribute("aria-label", `comments on ${take.label}`);
  let moment = /** @type {number | null} */ (null);
  play.hidden = !isPlayable(take);
  play.addEventListener("click", () => watch(take).play().catch(() => {}));
  text.addEventListener("focus", () => {
    const video = playerIn(take);
    // Clips in step are paused by their own bar, which would start a single one again.
    barOf(box)?.querySelector('[aria-label="pause"]')?.click();
    video?.pause();
    moment = video ? video.currentTime : null;
    place.value = moment === null ? "" : `at ${placeText(moment)}`;
  });
  add.addEventListener("click", () => {
    if (!text.value.trim()) return text.focus();
    rereadComments();
    comments.said.set(take.id, [...commentsOn(take), { at: moment, text: text.value.trim(), when: `${new Date().toISOString().slice(0, 19)}Z` }]);
    text.value = "";
    place.value = "";
    showComments(take);
  });
  listComments(take, written);
  return box;
}

/** Keep what is written about a take, and show it wherever the take is shown. */
function showComments(/** @type {Take} */ take) {
  keepComments();
  listAll(take);
  document.dispatchEvent(new CustomEvent("commented"));
}

function listAll(/** @type {Take} */ take) {
  for (const written of document.querySelectorAll(`.written[data-take="${CSS.escape(take.label)}"]`)) listComments(take, written);
}

function listComments(/** @type {Take} */ take, /** @type {HTMLElement} */ written) {
  written.replaceChildren(...commentsOn(take).map((comment) => {
    const remove = button("✕", "plain remove", `Remove the comment on ${take.label}`);
    remove.addEventListener("click", () => {
      rereadComments();
      const text = JSON.stringify(comment);
      comments.said.set(take.id, commentsOn(take).filter((other) => JSON.stringify(other) !== text));
      showComments(take);
    });
    const line = make("li", {}, make("span", { dir: "auto" }, comment.text), " ", remove);
    if (comment.at === null) return line;
    const jump = button(placeText(comment.at), "plain jump", `Show ${take.label} at ${placeText(comment.at)}`);
    jump.addEventListener("click", () => showPlace(written, take, comment.at));
    line.prepend(jump, " ");
    return line;
  }));
}

/** Return the bar that steers the clips beside a box of comments, if they play in step. */
const barOf = (/** @type {Element} */ box) => box.closest("dialog, .row")?.querySelector(".transport");

/** Show a take at a place of its clip, and what plays in step with it. */
function showPlace(/** @type {Element} */ box, /** @type {Take} */ take, /** @type {number} */ seconds) {
  const scrub = barOf(box)?.querySelector(".scrub");
  const lengths = [...box.closest("dialog, .row").querySelectorAll("video.player")].map((video) => video.duration || 0);
  if (!scrub || !lengths.length) {
    watch(take).currentTime = seconds;
    return;
  }
  scrub.value = String((seconds / Math.max(...lengths)) * Number(scrub.max));
  scrub.dispatchEvent(new Event("input"));
}

/** Return the player that shows a take now; null if none does. A moving poster has no place of its own. */
function playerIn(/** @type {Take} */ take) {
  const large = [...document.querySelectorAll("dialog[open] video")].find((video) => video.getAttribute("src") === take.clip);
  return large ?? built.get(take)?.querySelector(".still video:not(.motion, .poster)") ?? null;
}

/** Return the player of a take, made in its card when there is none. */
function watch(/** @type {Take} */ take) {
  for (const other of document.querySelectorAll("video.watch")) other.pause();
  const playing = playerIn(take);
  if (playing) return playing;
  const still = built.get(take).querySelector(".still");
  hideMotion(still);
  const video = make("video", { className: "watch", controls: true, playsInline: true, preload: "auto", src: take.clip, tabIndex: -1 });
  video.setAttribute("aria-label", `clip of ${take.label}`);
  still.append(video);
  return video;
}

additions.page.push(addComments);
additions.card.push(commentBox);
