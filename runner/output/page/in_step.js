// --- Clips in step ---

const USUAL_RATE = 24;
const MOST_RATE = 120;
// A clip that is not ready by then is left behind, and joins the others once it is.
const READY_WITHIN_MS = 5000;
// A small drift is worn off within a quarter of a second. Beyond these frames all wait for each other.
const DRIFT_GAIN = 4;
const MOST_NUDGE = 0.3;
const DRIFT_ALLOWED = 0.15;
const DRIFT_TOO_FAR = 2;
const REGROUP_PAUSE_MS = 1000;

/**
 * Plays clips so that all show the same moment: the longest leads, and the others are steered after it.
 *
 * A shorter clip holds its last frame. A clip that fails is left out. `time` and `length` are in seconds.
 */
class InStep {
  /** @param {HTMLVideoElement[]} videos @param {(number | null)[]} rates  frames per second, as far as known @param {() => void} changed */
  constructor(videos, rates, changed) {
    this.videos = videos;
    /** Frames per second of each clip, null where that is not known. */
    this.rates = rates;
    this.changed = changed;
    this.time = 0;
    this.speed = 1;
    this.isLooping = false;
    this.isPlaying = false;
    this.note = "";
    this.turn = 0;
    this.asked = 0;
    this.regrouped = 0;
    this.failed = /** @type {Set<HTMLVideoElement>} */ (new Set());
    this.left = new AbortController();
    videos.forEach((video, index) => {
      this.watch(video);
      if (!rates[index]) this.learn(video, index);
    });
  }

  watch(/** @type {HTMLVideoElement} */ video) {
    const { signal } = this.left;
    const fail = () => {
      this.failed.add(video);
      if (this.failed.size === this.videos.length) this.pause();
      this.changed();
    };
    if (video.error) this.failed.add(video);
    video.addEventListener("error", fail, { signal });
    video.addEventListener("loadedmetadata", () => {
      if (!this.isPlaying) this.request();
      this.changed();
    }, { signal });
    video.addEventListener("seeked", () => this.changed(), { signal });
  }

  /** Learn the rate of a clip that nobody has measured from the frames that are shown while it plays. */
  learn(/** @type {HTMLVideoElement} */ video, /** @type {number} */ index) {
    let before = Infinity;
    const look = (/** @type {number} */ _, /** @type {{ mediaTime: number }} */ { mediaTime }) => {
      if (this.left.signal.aborted) return;
      const rate = 1 / (mediaTime - before);
      // Frames that were left out make the distance greater, so the shortest one counts.
      if (this.isRunning && rate > 1 && rate > (this.rates[index] ?? 0)) this.rates[index] = Math.min(Math.round(rate * 1000) / 1000, MOST_RATE);
      before = mediaTime;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback?.(look);
  }

  /** The lowest rate that is known: a step by its frames moves every clip. */
  get rate() {
    const known = this.rates.filter(Boolean);
    return known.length ? Math.min(...known) : USUAL_RATE;
  }

  /** The clips that have loaded so far. */
  get usable() {
    return this.videos.filter((video) => !this.failed.has(video) && video.readyState >= 1);
  }

  /** The longest clip, which the others follow; none before the first has loaded. */
  get lead() {
    return this.usable.reduce((longest, video) => (longest && longest.duration >= video.duration ? longest : video), null);
  }

  get length() {
    return this.lead?.duration ?? 0;
  }

  get frame() {
    return 1 / this.rate;
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  play() {
    this.isPlaying = true;
    if (this.time >= this.length - this.frame) this.time = 0;
    return this.begin();
  }

  pause() {
    this.isPlaying = false;
    this.hold();
    for (const video of this.videos) video.pause();
    this.seek(this.centre(this.time));
  }

  /** Go by whole frames, and pause. */
  step(/** @type {number} */ frames) {
    if (this.isPlaying) this.pause();
    this.seek(this.centre(this.time + frames * this.frame));
  }

  /** Go to a time, and play on from there if it was playing. */
  seek(/** @type {number} */ time) {
    this.scrub(time);
    if (this.isPlaying) this.begin();
  }

  /** Show a time while a hand moves through the clips; `begin` plays on. */
  scrub(/** @type {number} */ time) {
    this.hold();
    this.time = Math.max(0, Math.min(time, this.length || time));
    this.request();
    this.changed();
  }

  setSpeed(/** @type {number} */ speed) {
    this.speed = speed;
    if (this.isRunning) for (const video of this.videos) video.playbackRate = speed;
    this.changed();
  }

  setLoop(/** @type {boolean} */ isLooping) {
    this.isLooping = isLooping;
    this.changed();
  }

  /** Leave the clips alone for good. */
  release() {
    this.hold();
    this.isPlaying = false;
    cancelAnimationFrame(this.asked);
    this.left.abort();
    for (const video of this.videos) video.pause();
  }

  /** Return the middle of the frame at a time, where no rounding shows its neighbour. */
  centre(/** @type {number} */ time) {
    const last = Math.max(0, Math.round(this.length * this.rate) - 1);
    const number = Math.min(Math.max(0, Math.floor(time * this.rate + 0.001)), this.length ? last : Infinity);
    return (number + 0.5) / this.rate;
  }

  /** Stand still where the clips are, as one. Whatever was about to begin is off. */
  hold() {
    this.turn += 1;
    if (this.isRunning && this.lead) this.time = this.lead.currentTime;
    this.isRunning = false;
    for (const video of this.videos) video.playbackRate = 0;
  }

  /** Bring all clips to `time`, wait for each other, and run. */
  async begin() {
    this.hold();
    const { turn } = this;
    this.changed();
    await within(READY_WITHIN_MS, Promise.all(this.videos.map((video) => this.loaded(video))));
    if (turn !== this.turn) return;
    this.place();
    await within(READY_WITHIN_MS, Promise.all(this.usable.map((video) => this.settled(video))));
    if (turn !== this.turn) return;
    const ready = this.usable.filter((video) => isReady(video) && !this.isOver(video));
    // At a rate of nothing all can start first, and then move in the same instant.
    await within(READY_WITHIN_MS, Promise.allSettled(ready.map((video) => video.play())));
    if (turn !== this.turn) return;
    const late = this.videos.length - this.failed.size - this.usable.filter((video) => isReady(video) || this.isOver(video)).length;
    this.note = late > 0 ? `${late} of ${this.videos.length} takes still load` : "";
    if (late > 0 && !ready.length) {
      this.begin();
      return;
    }
    this.isRunning = true;
    for (const video of ready) video.playbackRate = this.speed;
    this.changed();
    requestAnimationFrame(() => this.tick(turn));
  }

  tick(/** @type {number} */ turn) {
    if (turn !== this.turn) return;
    const { lead } = this;
    if (!lead) return;
    this.time = lead.currentTime;
    if (lead.ended) this.finish();
    else if (this.usable.map((video) => this.steer(video, lead)).includes(false)) this.begin();
    else requestAnimationFrame(() => this.tick(turn));
    this.changed();
  }

  finish() {
    if (this.isLooping) {
      this.isRunning = false;
      this.time = 0;
      this.begin();
    } else {
      this.time = this.length;
      this.pause();
    }
  }

  /** Keep a clip beside the leading one; return false if it is so far away that all must wait for it. */
  steer(/** @type {HTMLVideoElement} */ video, /** @type {HTMLVideoElement} */ lead) {
    if (video === lead || video.seeking || !isReady(video) || this.isOver(video)) return true;
    const drift = video.currentTime - lead.currentTime;
    const frames = Math.abs(drift) / this.frame / this.speed;
    if ((frames > DRIFT_TOO_FAR || video.paused) && performance.now() - this.regrouped > REGROUP_PAUSE_MS) {
      this.regrouped = performance.now();
      return false;
    }
    const nudge = frames < DRIFT_ALLOWED ? 0 : Math.max(-MOST_NUDGE, Math.min(MOST_NUDGE, drift * DRIFT_GAIN));
    const rate = this.speed * (1 - nudge);
    if (Math.abs(video.playbackRate - rate) > 0.01 || !nudge) video.playbackRate = rate;
    return true;
  }

  /** Return whether a shorter clip has shown all it has. */
  isOver(/** @type {HTMLVideoElement} */ video) {
    return this.time >= video.duration - this.frame / 2;
  }

  /** Show `time` in every clip at the next frame of the screen, however often it is asked for. */
  request() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      if (this.usable.some((video) => video.seeking)) this.request();
      else if (!this.isRunning) this.place();
    });
  }

  place() {
    for (const video of this.usable) {
      const time = Math.min(this.time, video.duration - this.frame / 2);
      if (Math.abs(video.currentTime - time) > 0.001) video.currentTime = time;
    }
  }

  loaded(/** @type {HTMLVideoElement} */ video) {
    return happened(video, () => this.failed.has(video) || video.readyState >= 1);
  }

  settled(/** @type {HTMLVideoElement} */ video) {
    return happened(video, () => this.failed.has(video) || (!video.seeking && (isReady(video) || this.isOver(video))));
  }
}

const isReady = (/** @type {HTMLVideoElement} */ video) => video.readyState >= 3;

/** Wait for a promise, but not for longer than this. */
function within(/** @type {number} */ milliseconds, /** @type {Promise<unknown>} */ promise) {
  return Promise.race([promise, new Promise((resolve) => { setTimeout(resolve, milliseconds); })]);
}

/** Wait until something is true of a clip. */
function happened(/** @type {HTMLVideoElement} */ video, /** @type {() => boolean} */ isSo) {
  if (isSo()) return Promise.resolve();
  return new Promise((resolve) => {
    const looking = new AbortController();
    const look = () => {
      if (!isSo()) return;
      looking.abort();
      resolve(undefined);
    };
    for (const name of ["loadedmetadata", "canplay", "seeked", "error", "emptied"]) video.addEventListener(name, look, { signal: looking.signal });
  });
}

/** Return a player without controls and without sound; it loads its clip, or a preview of it, at once. */
function newPlayer(/** @type {Take} */ take, src = take.clip) {
  const video = make("video", { className: "player", muted: true, playsInline: true, preload: "auto", src });
  video.setAttribute("aria-label", `clip of ${take.label}`);
  return video;
}

/** Give back what a player holds: one that is only removed may go on loading. */
function dropPlayer(/** @type {HTMLVideoElement} */ video) {
  video.pause();
  video.removeAttribute("src");
  video.load();
  video.remove();
}
