// --- One or two takes, large ---

/** @typedef {"one" | "side" | "wipe" | "difference"} Mode */
const MODES = /** @type {[Mode, string, string][]} */ ([
  ["one", "One", "o"], ["side", "Side by side", "s"], ["wipe", "Wipe", "w"], ["difference", "Difference", "d"],
]);
const VERDICTS = /** @type {[string, string, string][]} */ ([["pick", "Pick", "p"], ["reject", "Reject", "x"], ["maybe", "Maybe", "m"], ["", "Undecided", "u"]]);
const MOST_KEPT = 6;
// As many as a row shows at first.
const MOST_COMPARED = 60;
const LIGHTBOX_KEYS = [
  ["space", "play or pause"], [", .", "one frame back or on"], ["← →", "other take"], ["1 … 9", "that take"], ["Shift 1 … 9", "that take as the second"],
  ["b", "second take, or none"], ["o s w d", "one, side by side, wipe, difference"], ["r", "loop"], ["[ ]", "slower, faster"], ["v", "sound"],
  ["p x m u", "pick, reject, maybe, undecided"], ["Esc", "back to the page"],
];

/** Show the takes of a shot large, beginning with the `first`-th; of many takes those around it. Return it, so that it can be closed. */
function openLightbox(/** @type {Take[]} */ takes, first = 0) {
  rowInHand?.stop();
  const from = Math.max(0, Math.min(first - MOST_COMPARED / 2, takes.length - MOST_COMPARED));
  const compared = takes.slice(from, from + MOST_COMPARED);
  whole(compared);
  return new Lightbox(compared, first - from);
}

/** A dialog with one take, or with two that are compared in step: `chosen` has the numbers of the first and the second. */
class Lightbox {
  /** @param {Take[]} takes @param {number} first */
  constructor(takes, first) {
    this.takes = takes;
    this.chosen = /** @type {[number, number]} */ ([first, this.other(first)]);
    this.mode = /** @type {Mode} */ ("one");
    this.isMuted = true;
    this.clips = /** @type {InStep | null} */ (null);
    this.players = /** @type {Map<string, HTMLVideoElement>} */ (new Map());
    this.left = new AbortController();
    this.build();
    document.addEventListener("changed", ({ detail }) => this.follow(detail), { signal: this.left.signal });
    document.addEventListener("decided", () => this.judge(), { signal: this.left.signal });
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.transport.toggle.focus();
    this.show();
  }

  build() {
    this.title = make("h2", { id: "lightbox-title" });
    const close = control("✕", "close", () => this.dialog.close());
    this.sides = [0, 1].map((side) => make("figure", { className: `side ${"ab"[side]}` }, make("div", { className: "screen" }), make("figcaption")));
    this.divider = make("input", { type: "range", className: "divider", min: "0", max: "100", value: "50", step: "any", hidden: true });
    this.divider.setAttribute("aria-label", "place of the wipe, in per cent from the left");
    this.divider.addEventListener("input", () => this.wipe());
    this.stage = make("div", { className: "stage" }, ...this.sides, this.divider);
    this.transport = new Transport("the lightbox");
    this.sound = control("sound", "", () => this.mute(!this.isMuted));
    this.transport.bar.append(this.sound);
    this.modes = MODES.map(([mode, text]) => control(text, "", () => this.turn(mode)));
    this.amplify = control("×4", "amplify the difference", () => this.brighten());
    this.amplify.ariaPressed = "false";
    const modes = make("div", { className: "modes", role: "group" }, ...this.modes, this.amplify);
    modes.setAttribute("aria-label", "how takes are compared");
    this.thumbs = make("div", { className: "thumbs", role: "group" }, ...this.takes.map((take, index) => this.thumb(take, index)));
    this.thumbs.setAttribute("aria-label", "takes");
    this.verdicts = VERDICTS.map(([decision, text]) => control(text, "", () => this.decide(decision)));
    const verdicts = make("div", { className: "verdicts", role: "group" }, ...this.verdicts);
    verdicts.setAttribute("aria-label", "decision on the first take");
    verdicts.hidden = !picks.isOpen;
    this.facts = make("div", { className: "known" });
    const keys = make("details", { className: "keys" }, make("summary", {}, "Keys"), list(LIGHTBOX_KEYS.map(([key, does]) => [key, does])));
    this.dialog = make("dialog", { className: "lightbox" },
      make("header", {}, this.title, close), this.stage, this.transport.bar, make("div", { className: "ways" }, modes, verdicts), this.thumbs, this.facts, keys);
    this.dialog.setAttribute("aria-labelledby", this.title.id);
    this.dialog.addEventListener("close", () => this.leave());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("click", ({ target, detail }) => {
      if (target === this.dialog) this.dialog.close();
      // After a click by hand the space bar plays, and does not press the same button again.
      else if (detail && target.closest("button")) this.transport.toggle.focus();
    });
  }

  /** Return a button with which a take is chosen: the first one alone, beside another one the second. */
  thumb(/** @type {Take} */ take, /** @type {number} */ index) {
    const name = make("span", { className: "thumb-name" }, this.nameOf(take));
    const made = make("button", { type: "button", className: "thumb" }, mutedStill(take), name, make("span", { className: "mark" }));
    made.addEventListener("click", (event) => this.choose(index, this.mode === "one" && !event.shiftKey ? 0 : 1));
    return made;
  }

  /** The number of the take after this one, or of the one before the last. */
  other(/** @type {number} */ index) {
    return index + 1 < this.takes.length ? index + 1 : Math.max(0, index - 1);
  }

  /** The numbers of the takes that are to be seen. */
  get seen() {
    return this.mode === "one" ? [this.chosen[0]] : this.chosen;
  }

  /** Show a take as the first (0) or the second (1). */
  choose(/** @type {number} */ index, /** @type {0 | 1} */ side) {
    if (!this.takes[index]) return;
    this.chosen[side] = index;
    if (side === 1 && this.mode === "one") this.mode = "side";
    this.show();
  }

  turn(/** @type {Mode} */ mode) {
    this.mode = mode;
    this.show();
  }

  decide(/** @type {string} */ decision) {
    decide(this.takes[this.chosen[0]], decision);
  }

  /** Show what is known by now of takes that have changed. What plays goes on. */
  follow(/** @type {Set<Take>} */ changed) {
    this.takes.forEach((take, index) => {
      if (!changed.has(take)) return;
      const [old] = this.thumbs.children[index].children;
      const still = mutedStill(take);
      if (!old.isEqualNode(still)) old.replaceWith(still);
    });
    if (this.seen.some((index) => changed.has(this.takes[index]))) this.describe();
    else this.judge();
    // Without the focus the keys would be dead.
    if (!this.dialog.contains(document.activeElement) && this.dialog.matches(":modal")) this.transport.toggle.focus();
  }

  mute(/** @type {boolean} */ isMuted) {
    this.isMuted = isMuted;
    this.sound.ariaPressed = String(!isMuted);
    const [first, ...others] = this.clips.videos;
    for (const video of others) video.muted = true;
    if (first) first.muted = isMuted;
  }

  brighten() {
    const isBright = this.stage.classList.toggle("amplified");
    this.amplify.ariaPressed = String(isBright);
  }

  /** Show the second take to the right of the divider only. */
  wipe() {
    const right = this.sides[1].firstElementChild;
    right.style.clipPath = this.mode === "wipe" ? `inset(0 0 0 ${this.divider.value}%)` : "";
  }

  /** Put the chosen takes on the stage, at the time and in the motion of those before. */
  show() {
    const { clips, seen } = this;
    const wasPlaying = clips?.isPlaying;
    clips?.release();
    const players = this.sides.map((side, number) => this.fill(side, number, this.takes[seen[number]]));
    const videos = players.filter(Boolean);
    this.forget(videos);
    // A picture has a side of the stage, and no player.
    const rates = seen.filter((_, number) => players[number]).map((index) => this.takes[index].fps);
    this.clips = new InStep(videos, rates, () => this.tell());
    this.transport.take(this.clips);
    this.mute(this.isMuted);
    this.stage.dataset.mode = this.mode;
    this.divider.hidden = this.mode !== "wipe";
    this.wipe();
    this.describe();
    if (clips) this.clips.scrub(clips.time);
    if (wasPlaying) this.clips.play();
  }

  /** Put a take, or nothing, on one side of the stage; return its player if it has a clip. */
  fill(/** @type {HTMLElement} */ side, /** @type {number} */ number, /** @type {Take | undefined} */ take) {
    const screen = side.firstElementChild;
    screen.replaceChildren();
    side.hidden = !take;
    if (!take) return null;
    side.lastElementChild.textContent = this.nameOf(take);
    const picture = isPicture(take) ? take.clip : take.poster?.large;
    if (picture) screen.append(make("img", { className: "poster", src: picture, alt: isPicture(take) ? `picture of ${take.label}` : "" }));
    else if (!take.clip || isSound(take)) screen.append(make("p", { className: "blank" }, take.clip ? "sound" : take.standing));
    if (!isPlayable(take)) return null;
    const player = this.player(number, take);
    screen.append(player);
    return player;
  }

  /** Return the player of a take on one side; one that was there before has kept what it loaded. */
  player(/** @type {number} */ number, /** @type {Take} */ take) {
    const key = `${number} ${take.id}`;
    const player = this.players.get(key) ?? newPlayer(take);
    this.players.delete(key);
    this.players.set(key, player);
    return player;
  }

  /** Drop the players that were seen longest ago, but none of these. */
  forget(/** @type {HTMLVideoElement[]} */ seen) {
    for (const [key, player] of this.players) {
      if (this.players.size <= MOST_KEPT) return;
      if (seen.includes(player)) continue;
      dropPlayer(player);
      this.players.delete(key);
    }
  }

  /** Say in words which takes are seen, and what is known of them. */
  describe() {
    const takes = this.seen.map((index) => this.takes[index]);
    this.title.textContent = `${takes[0].shot} · ${takes.map((take) => this.nameOf(take)).join(" and ")}`;
    this.modes.forEach((each, number) => { each.ariaPressed = String(MODES[number][0] === this.mode); });
    this.amplify.hidden = this.mode !== "difference";
    [...this.thumbs.children].forEach((thumb, index) => {
      thumb.ariaPressed = String(this.seen.includes(index));
      thumb.lastElementChild.textContent = this.seen.map((seen, side) => (seen === index ? "AB"[side] : "")).join("");
    });
    this.judge();
    this.facts.replaceChildren(...takes.map((take) => this.known(take)));
    this.tell();
  }

  /** Show what is decided about the takes. */
  judge() {
    this.verdicts.forEach((each, number) => { each.ariaPressed = String(VERDICTS[number][0] === saidOf(this.takes[this.chosen[0]]).decision); });
    [...this.thumbs.children].forEach((thumb, index) => { thumb.dataset.decision = saidOf(this.takes[index]).decision; });
  }

  /** Return what is known of a take, and what a page for others adds to it. */
  known(/** @type {Take} */ take) {
    const facts = factsOf(take, this.nameOf(take));
    facts.append(...additions.card.map((add) => add(take)));
    return facts;
  }

  /** Show what the players have come to. */
  tell() {
    const { clips, seen } = this;
    this.transport.show();
    const shape = clips.lead;
    if (shape?.videoWidth) this.stage.style.setProperty("--shape", String(shape.videoWidth / shape.videoHeight));
    const failed = [];
    seen.forEach((index, side) => {
      const video = this.sides[side].querySelector("video");
      if (!video) return;
      this.sides[side].classList.toggle("has-picture", video.readyState >= 2);
      if (clips.failed.has(video)) failed.push(`${this.nameOf(this.takes[index])} cannot play here`);
      else if (video.readyState >= 1) this.facts.children[side].querySelector(".measured").textContent = measured(video, this.takes[index]);
    });
    this.transport.say([clips.note, ...failed].filter(Boolean).join(" · "));
  }

  key(/** @type {KeyboardEvent} */ event) {
    // The page behind has keys of its own.
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    if (target.matches("select, summary, textarea, input:not([type=range])") || (key === " " && target.matches("button"))) return;
    if (target.matches("input") && /^(Arrow|Page|Home|End)/.test(key)) return;
    const digit = /^Digit([1-9])$/.exec(event.code);
    const act = digit ? () => this.choose(Number(digit[1]) - 1, event.shiftKey ? 1 : 0) : this.act(key);
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Return what a key does, if it does anything. */
  act(/** @type {string} */ key) {
    const mode = MODES.find((each) => each[2] === key);
    if (mode) return () => this.turn(mode[0]);
    const decision = VERDICTS.find((each) => each[2] === key);
    if (decision) return () => this.decide(decision[0]);
    const { clips } = this;
    const speeds = (/** @type {number} */ by) => clips.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(clips.speed) + by))]);
    const go = (/** @type {number} */ by) => this.choose(this.chosen[0] + by, 0);
    return {
      " ": () => clips.toggle(), ",": () => clips.step(-1), ".": () => clips.step(1), r: () => clips.setLoop(!clips.isLooping),
      "[": () => speeds(-1), "]": () => speeds(1), v: () => this.mute(!this.isMuted), b: () => this.turn(this.mode === "one" ? "side" : "one"),
      ArrowLeft: () => go(-1), h: () => go(-1), ArrowRight: () => go(1), l: () => go(1),
    }[key];
  }

  /** Return what a take is called beside the others: its number, and the values in which they differ. */
  nameOf(/** @type {Take} */ take) {
    const differs = (/** @type {string} */ value) => !this.takes.every((other) => valuesOf(other).includes(value));
    return [shortOf(take), ...valuesOf(take).filter(differs)].join(" ");
  }

  leave() {
    this.left.abort();
    this.clips.release();
    for (const player of this.players.values()) dropPlayer(player);
    clear(this.dialog);
    this.dialog.remove();
  }
}

/** Return the picture of a take for a button, which has the name: read out twice it would be a nuisance. */
function mutedStill(/** @type {Take} */ take) {
  const still = stillOf(take);
  still.removeAttribute("tabindex");
  still.ariaHidden = "true";
  still.alt = "";
  return still;
}

/** Return the size, the length and the rate of a loaded clip in words. */
function measured(/** @type {HTMLVideoElement} */ video, /** @type {Take} */ take) {
  const rate = take.fps ? [`${Number(take.fps.toFixed(3))} frames a second`] : [];
  return [isSound(take) ? "sound" : `${video.videoWidth} × ${video.videoHeight}`, timecode(video.duration), ...rate].join(", ");
}

/** Return what is known of a take, with its input pictures beside the first and the last one of its clip. */
function factsOf(/** @type {Take} */ take, /** @type {string} */ name) {
  const rows = [["clip", make("span", { className: "measured" }, isPlayable(take) ? "not loaded" : isPicture(take) ? "a picture" : take.standing)]];
  if (take.model) rows.push(["model", take.model]);
  if (take.facts.length) rows.push(["take", take.facts.join(", ")]);
  for (const [, text] of take.flags) rows.push(["flag", make("strong", { className: "flag" }, text)]);
  if (take.note) rows.push(["note", take.note]);
  if (promptOf(take)) rows.push(["prompt", make("span", { dir: "auto" }, promptOf(take))]);
  if (take.frames.length) rows.push(["input", make("span", { className: "links" }, ...take.frames.map(named))]);
  const given = take.frames.filter(([, , , copy]) => copy).map(([name, , , copy]) => [copy, `input ${name}`]);
  const ends = [["first", "first frame"], ["last", "last frame"]].filter(([which]) => take.poster?.[which]);
  const shown = [...given, ...ends.map(([which, words]) => [take.poster[which], words])];
  const pictures = shown.map(([src, words]) => make("figure", {}, make("img", { src, alt: "", loading: "lazy" }), make("figcaption", {}, words)));
  return make("section", {}, make("h3", {}, name), make("div", { className: "ends" }, ...pictures), list(rows));
}
