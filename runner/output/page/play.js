// --- The takes of a row in step ---

// A browser decodes so many clips at once without falling behind.
const MOST_PLAYERS = 12;
// Beyond this number of clips their small previews play, which need a tenth of the work.
const MOST_LARGE = 6;
// A preview has so many frames a second at most, and holds no more than the first seconds of its clip.
const PREVIEW_RATE = 12;
const PREVIEW_SECONDS = 10;
let rowInHand = /** @type {RowPlayer | null} */ (null);

/** Let the takes of a row play in step. `stills` are the boxes of their pictures, in the same order. */
function mountRow(/** @type {HTMLElement} */ row, /** @type {Take[]} */ takes, /** @type {HTMLElement[]} */ stills) {
  return new RowPlayer(row, takes, stills);
}

/** The players of one row. They are made when they are first needed, and only one row has any. */
class RowPlayer {
  /** @param {HTMLElement} row @param {Take[]} takes @param {HTMLElement[]} stills */
  constructor(row, takes, stills) {
    this.row = row;
    this.takes = takes;
    this.stills = stills;
    this.clips = /** @type {InStep | null} */ (null);
    this.transport = /** @type {Transport | null} */ (null);
    this.players = /** @type {Map<number, HTMLVideoElement>} */ (new Map());
    this.areSmall = false;
  }

  get playing() {
    return this.clips?.isPlaying ?? false;
  }

  /** Play or pause; of a long row those takes play that are nearest the `chosen`-th. */
  toggle(chosen = this.chosen()) {
    this.open(chosen)?.toggle();
  }

  step(/** @type {number} */ frames) {
    this.open(this.chosen())?.step(frames);
  }

  /** Go to a share of the longest clip, from 0 to 1. */
  async seek(/** @type {number} */ share) {
    const clips = this.open(this.chosen());
    if (!clips) return;
    await Promise.race(clips.videos.map((video) => clips.loaded(video)));
    clips.seek(share * clips.length);
  }

  speed(/** @type {number} */ times) {
    habits.speed = times;
    this.clips?.setSpeed(times);
  }

  loop(/** @type {boolean} */ isLooping) {
    habits.isLooping = isLooping;
    this.clips?.setLoop(isLooping);
  }

  /** Take the players away again; the pictures stay. */
  stop() {
    this.clips?.release();
    for (const [index, video] of this.players) {
      dropPlayer(video);
      this.stills[index].classList.remove("plays", "unplayable");
    }
    this.transport?.bar.remove();
    this.row.classList.remove("playing");
    this.clips = this.transport = null;
    this.players.clear();
    if (rowInHand === this) rowInHand = null;
  }

  /** Return the number of the take that a person stands on. */
  chosen() {
    return Math.max(0, this.stills.findIndex((still) => still.closest(".take")?.matches(".current, :focus-within")));
  }

  /** Return the row's clips with a player each, or null if it has none. */
  open(/** @type {number} */ chosen) {
    if (this.clips) return this.clips;
    const indexes = nearest(this.takes.flatMap((take, index) => (isPlayable(take) ? [index] : [])), chosen);
    if (!indexes.length) return null;
    rowInHand?.stop();
    rowInHand = this;
    this.row.classList.add("playing");
    this.areSmall = indexes.length > MOST_LARGE && indexes.every((index) => hasWholePreview(this.takes[index]));
    for (const index of indexes) {
      const take = this.takes[index];
      const video = newPlayer(take, this.areSmall ? take.poster.motion : take.clip);
      this.players.set(index, video);
      this.stills[index].append(video);
      this.stills[index].classList.add("plays");
    }
    this.transport = new Transport(this.takes[0].shot);
    const rates = indexes.map((index) => this.takes[index].fps);
    const shown = this.areSmall ? rates.map((rate) => Math.min(rate ?? PREVIEW_RATE, PREVIEW_RATE)) : rates;
    this.clips = new InStep([...this.players.values()], shown, () => this.show());
    this.transport.take(this.clips);
    this.row.append(this.transport.bar);
    this.show();
    return this.clips;
  }

  show() {
    const { clips, transport, players } = this;
    if (!clips || !transport) return;
    // A list that builds its rows near the screen only has taken this one away.
    if (!this.row.isConnected) return void this.stop();
    transport.show();
    for (const [index, video] of players) this.stills[index].classList.toggle("unplayable", clips.failed.has(video));
    const clipped = this.takes.filter(isPlayable).length;
    const said = [clips.note];
    if (this.areSmall) said.push("small previews play; Enter shows a take as it is");
    if (clipped > players.size) said.push(`${players.size} of ${clipped} takes play, those nearest the chosen one`);
    const failed = [...players.keys()].filter((index) => clips.failed.has(players.get(index))).map((index) => this.takes[index].label);
    if (failed.length) said.push(`${failed.join(", ")} cannot play here`);
    transport.say(said.filter(Boolean).join(" · "));
  }
}

/** Return whether the preview of a take shows all of its clip. */
function hasWholePreview(/** @type {Take} */ take) {
  return Boolean(take.poster?.motion) && take.clipSeconds !== null && take.clipSeconds <= PREVIEW_SECONDS;
}

/** Return at most so many of these numbers as may play at once, in order, those nearest to `chosen`. */
function nearest(/** @type {number[]} */ indexes, /** @type {number} */ chosen) {
  const byDistance = [...indexes].sort((one, other) => Math.abs(one - chosen) - Math.abs(other - chosen));
  return byDistance.slice(0, MOST_PLAYERS).sort((one, other) => one - other);
}

document.addEventListener("visibilitychange", () => {
  // A hidden page gets no frames of the screen, so nothing would be steered.
  if (document.hidden && rowInHand?.playing) rowInHand.toggle();
});
