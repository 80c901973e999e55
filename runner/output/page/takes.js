// --- One take ---

const DECISIONS = [["pick", "✓", "Pick"], ["maybe", "?", "Maybe"], ["reject", "✕", "Reject"]];
const DECIDED = { pick: "picked", reject: "rejected", maybe: "maybe" };
const hovers = matchMedia("(hover: hover)").matches;
const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The elements of the takes that are built now. */
const built = /** @type {Map<Take, HTMLElement>} */ (new Map());

/** What a hand is in, or may be: it outlives what is said of the take. */
const IN_HAND = ":scope > :is(.deciding, .commenting, details)";

/** Return the card of a take. */
function takeCard(/** @type {Row} */ row, /** @type {Take} */ take) {
  const article = make("article", { className: "take", tabIndex: 0 });
  article.dataset.order = String(take.order);
  article.setAttribute("aria-labelledby", `t${take.order}`);
  article.append(film(take), make("div", { className: "body" }, deciding(take), ...additions.card.map((add) => add(take)), details(take)));
  built.set(take, article);
  showTake(row, take);
  return article;
}

/** Show on its card what a take is now. A note that is being written, a player and open details stay. */
function showTake(/** @type {Row} */ row, /** @type {Take} */ take) {
  const card = built.get(take);
  const hadFocus = card.contains(document.activeElement);
  card.dataset.state = statesOf(take).join(" ");
  showStill(card.querySelector(".still"), take);
  const body = card.lastElementChild;
  const inHand = body.querySelector(IN_HAND);
  renew(body, [titleOf(row, take), factLine(take), ...remarks(row, take)], inHand);
  if (take.clip && picks.isOpen && !body.querySelector(".deciding")) body.insertBefore(deciding(take), inHand);
  const folded = body.querySelector("details[open]");
  if (folded) fillDetails(folded, take);
  showDecision(take);
  // What had it may be gone.
  if (hadFocus && !card.contains(document.activeElement)) card.focus({ preventScroll: true });
}

/** Return the name of a take within its shot. */
const shortOf = (/** @type {Take} */ take) => (take.label.startsWith(`${take.shot}_`) ? take.label.slice(take.shot.length + 1) : take.label);

function titleOf(/** @type {Row} */ row, /** @type {Take} */ take) {
  const title = make("h4", { id: `t${take.order}` }, make("span", { className: "hidden" }, `${take.shot} `), shortOf(take));
  for (const axis of differing(row, take)) title.append(" ", make("span", { className: "axis" }, axis));
  return title;
}

function film(/** @type {Take} */ take) {
  const mark = make("span", { className: "mark" });
  const edge = make("div", { className: "edge" }, make("span", { className: "short" }, shortOf(take)), mark, make("span", { className: "gate" }, take.model));
  const still = make("div", { className: "still" }, stillOf(take));
  if (hovers && !isCalm) {
    still.addEventListener("pointerenter", () => showMotion(still, take));
    still.addEventListener("pointerleave", () => hideMotion(still));
  }
  return make("div", { className: "film" }, edge, still);
}

/** Return the picture of a take that stands for it: a poster, else the clip's own first picture, else its state. */
function stillOf(/** @type {Take} */ take) {
  if (!take.clip || isSound(take)) return make("div", { className: "blank" }, make("span", {}, take.clip ? "sound" : take.standing));
  const { small = isPicture(take) ? take.clip : null, large = null } = take.poster ?? {};
  if (!small && !large) {
    const video = make("video", { className: "poster", muted: true, playsInline: true, preload: "metadata", src: `${take.clip}#t=0.1`, tabIndex: -1 });
    video.setAttribute("aria-label", `clip of ${take.label}`);
    return video;
  }
  const image = make("img", { className: "poster", loading: "lazy", decoding: "async", alt: `poster of ${take.label}` });
  if (small && large) Object.assign(image, { sizes: "(max-width: 40rem) 80vw, 16rem", srcset: `${small} 320w, ${large} 960w` });
  image.src = small ?? large;
  return image;
}

const SEEN_WITHIN_MS = 1000;
/** The pictures that replace others once they can be seen, by their boxes. */
const awaited = /** @type {WeakMap<Element, Element>} */ (new WeakMap());

/** Show the picture of a take in its box. Until a new one can be seen, the one before stays. */
async function showStill(/** @type {Element} */ still, /** @type {Take} */ take) {
  const fresh = stillOf(take);
  if (still.firstElementChild.isEqualNode(fresh)) return;
  awaited.set(still, fresh);
  if (fresh.localName === "img") {
    fresh.loading = "eager";
    await fresh.decode().catch(() => {});
    fresh.loading = "lazy";
  } else if (fresh.localName === "video") {
    await within(SEEN_WITHIN_MS, happened(fresh, () => fresh.readyState >= 2 || fresh.error !== null));
  }
  if (awaited.get(still) !== fresh) return;
  if (still.firstElementChild.localName === "video") release(still.firstElementChild);
  still.firstElementChild.replaceWith(fresh);
}

/** Play a take over its poster while it is pointed at; a row that plays in step is left alone. */
function showMotion(/** @type {HTMLElement} */ still, /** @type {Take} */ take) {
  if (!isPlayable(take) || isSound(take)) return;
  if (still.querySelector(".motion") || still.closest(".playing")) return;
  const video = make("video", { className: "motion", muted: true, loop: true, playsInline: true, src: take.poster?.motion ?? take.clip });
  video.setAttribute("aria-hidden", "true");
  still.append(video);
  video.play().catch(() => hideMotion(still));
}

function hideMotion(/** @type {HTMLElement} */ still) {
  const video = still.querySelector(".motion");
  if (!video) return;
  release(video);
  video.remove();
}

function factLine(/** @type {Take} */ take) {
  const states = statesOf(take).map((state) => make("span", { className: `state ${state}` }, state));
  return make("p", { className: "line" }, ...states, ...spans([take.seed && `seed ${take.seed}`, ...take.facts].filter(Boolean)));
}

/** Return what a card says below its first line, as far as there is something to say that its row does not say. */
function remarks(/** @type {Row} */ row, /** @type {Take} */ take) {
  const said = [];
  if (take.flags.length) said.push(make("ul", { className: "flags" }, ...take.flags.map(([kind, text]) => make("li", {}, make("b", {}, kind), ` ${text}`))));
  if (take.note) said.push(make("p", { className: "note" }, take.note));
  const [sentence, command] = take.advice;
  if (sentence) said.push(make("p", { className: "advice" }, `${sentence} `, make("code", {}, command)));
  if (take.stale.length) {
    said.push(make("p", { className: "note" }, "The row of this take has changed since. This clip was made from the values that are struck out."));
    said.push(list(take.stale.map(([field, before, after]) => [field, make("del", {}, before), " → ", make("ins", {}, after)]), "changed"));
  }
  const common = commonOf(row);
  if (!common.prompt && promptOf(take)) said.push(make("p", { className: "prompt", dir: "auto" }, promptOf(take)));
  if (!common.notes && take.notes) said.push(make("p", { className: "notes", dir: "auto" }, take.notes));
  if (!common.tags && take.tags.length) said.push(make("p", { className: "tags" }, ...spans(take.tags)));
  if (!common.frames && take.frames.length) said.push(make("p", { className: "links" }, ...take.frames.map(inputPicture)));
  // A clip that is here needs no link to the service, which expires.
  const outputs = take.clip ? [] : take.outputs.map(([url, isLink], index) => named([take.outputs.length > 1 ? `output ${index + 1}` : "output link", url, isLink]));
  if (outputs.length) said.push(make("p", { className: "links" }, ...outputs));
  for (const [who, at, text] of take.comments) said.push(make("p", { className: "comment", dir: "auto" }, make("b", {}, [who, at].filter(Boolean).join(" ")), ` ${text}`));
  return said;
}

/** Return an input that is named, as a link if it may be one. */
function named(/** @type {Input | [string, string, boolean]} */ [name, text, isLink]) {
  return isLink ? anchor(name, text) : make("span", { className: "dead" }, name);
}

/** Return an input picture with its name: the small copy if it is there, and the link. */
function inputPicture(/** @type {Input} */ input) {
  const link = named(input);
  const copy = input[3];
  if (copy) link.prepend(make("img", { src: copy, alt: "", loading: "lazy", decoding: "async" }));
  return link;
}

// --- What a person decides about it ---

function deciding(/** @type {Take} */ take) {
  if (!take.clip || !picks.isOpen) return "";
  const buttons = DECISIONS.map(([word, sign, text]) => {
    const made = button("", `decide ${word}`, `${text} ${take.label}`);
    made.append(make("span", { ariaHidden: "true" }, sign), ` ${text}`);
    made.addEventListener("click", () => decide(take, saidOf(take).decision === word ? "" : word));
    return made;
  });
  const note = make("input", { className: "remark", type: "text", placeholder: "Note", tabIndex: -1, autocomplete: "off" });
  note.setAttribute("aria-label", `note on ${take.label}`);
  note.addEventListener("change", () => remark(take, note.value.trim()));
  note.addEventListener("blur", () => showDecision(take));
  const group = make("div", { className: "deciding", role: "group" }, ...buttons, note);
  group.setAttribute("aria-label", `decision about ${take.label}`);
  return group;
}

/** Show on a built card what is decided about its take now. */
function showDecision(/** @type {Take} */ take) {
  const card = built.get(take);
  if (!card) return;
  const { decision, note } = saidOf(take);
  const isSafe = isSaved(take) || picks.isSending;
  card.className = ["take", take.standing, take.flags.length ? "odd" : "", DECIDED[decision] ?? "", isSafe ? "" : "unsaved", card.matches(".current") ? "current" : ""].filter(Boolean).join(" ");
  card.querySelector(".mark").textContent = DECIDED[decision] ? `${DECIDED[decision]}${isSafe ? "" : " · not saved yet"}` : "";
  for (const [word] of DECISIONS) card.querySelector(`.decide.${word}`)?.setAttribute("aria-pressed", String(word === decision));
  const field = card.querySelector(".remark");
  if (field && field !== document.activeElement) field.value = note;
}

/** Return the part of a card that is folded in, and filled when it is opened. */
function details(/** @type {Take} */ take) {
  if (!take.details.length) return "";
  const folded = make("details", {}, make("summary", { tabIndex: -1 }, "Details"));
  folded.addEventListener("toggle", () => fillDetails(folded, take));
  return folded;
}

function fillDetails(/** @type {Element} */ folded, /** @type {Take} */ take) {
  const outputs = take.outputs.map(([url, isLink]) => ["output", isLink ? anchor(url, url) : url]);
  const inputs = take.inputs.map(([name, text, isLink]) => [name, isLink ? anchor(text, text) : text]);
  const files = take.clip ? [["files", anchor("clip", take.clip), ...(take.sidecar ? [" · ", anchor("data", take.sidecar)] : [])]] : [];
  const lists = [list([["take", take.id], ["model", take.model], ...files, ...take.details, ...outputs]), make("h5", {}, "Inputs as sent"), list(inputs)];
  renew(folded, [folded.firstElementChild, ...lists]);
}
