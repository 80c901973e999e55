// --- The control bar of clips in step ---

const SPEEDS = [0.25, 0.5, 1, 1.5, 2];
const SCRUB_PARTS = 1000;
// What a person has chosen for one row holds for the next.
const habits = { speed: 1, isLooping: false };

/** Return `0:02.08`. */
function timecode(/** @type {number} */ seconds) {
  const hundredths = Math.floor(seconds * 100 + 0.001);
  return `${Math.floor(hundredths / 6000)}:${(Math.floor(hundredths / 100) % 60).toString().padStart(2, "0")}.${(hundredths % 100).toString().padStart(2, "0")}`;
}

/** The bar with which a hand plays clips: it holds no state of its own, and shows that of its `InStep`. */
class Transport {
  /** @param {string} name  what is played */
  constructor(name) {
    this.clips = /** @type {InStep | null} */ (null);
    this.toggle = control("▶", "play", () => this.clips.toggle());
    this.back = control("◂|", "one frame back", () => this.clips.step(-1));
    this.on = control("|▸", "one frame on", () => this.clips.step(1));
    this.scrub = make("input", { type: "range", className: "scrub", min: "0", max: String(SCRUB_PARTS), value: "0", step: "1" });
    this.scrub.setAttribute("aria-label", "position");
    this.clock = make("output", { className: "clock" });
    this.loop = control("loop", "", () => this.clips.setLoop(!this.clips.isLooping));
    this.speed = make("select", { className: "speed" }, ...SPEEDS.map((speed) => make("option", { value: String(speed) }, `${speed}×`)));
    this.speed.setAttribute("aria-label", "speed");
    this.note = make("output", { className: "transport-note" });
    this.bar = make("div", { className: "transport", role: "group" }, this.toggle, this.back, this.on, this.scrub, this.clock, this.loop, this.speed, this.note);
    this.bar.setAttribute("aria-label", `players of ${name}`);
    this.scrub.addEventListener("input", () => this.clips.scrub((this.clips.length * Number(this.scrub.value)) / SCRUB_PARTS));
    this.scrub.addEventListener("change", () => { if (this.clips.isPlaying) this.clips.begin(); });
    this.speed.addEventListener("change", () => this.clips.setSpeed(Number(this.speed.value)));
  }

  /** Steer these clips from now on. */
  take(/** @type {InStep} */ clips) {
    this.clips = clips;
    clips.isLooping = habits.isLooping;
    clips.speed = habits.speed;
    this.show();
  }

  show() {
    const { clips } = this;
    if (!clips) return;
    habits.speed = clips.speed;
    habits.isLooping = clips.isLooping;
    const label = clips.isPlaying ? "pause" : "play";
    if (this.toggle.ariaLabel !== label) {
      this.toggle.textContent = clips.isPlaying ? "❚❚" : "▶";
      this.toggle.ariaLabel = label;
    }
    const { time, length } = clips;
    const value = String(length ? Math.round((time / length) * SCRUB_PARTS) : 0);
    if (this.scrub.value !== value) this.scrub.value = value;
    const shown = `${timecode(Math.floor(time * clips.rate + 0.001) / clips.rate)} / ${timecode(length)}`;
    if (this.clock.textContent !== shown) {
      this.clock.textContent = shown;
      this.scrub.setAttribute("aria-valuetext", shown);
    }
    this.loop.ariaPressed = String(clips.isLooping);
    this.speed.value = String(clips.speed);
  }

  /** Show a remark on the clips, none to take it away. */
  say(/** @type {string} */ text) {
    if (this.note.textContent !== text) this.note.textContent = text;
  }
}

/** Return a button; its `label` says in words what a sign as its text does not. */
function control(/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ act) {
  const made = make("button", { type: "button" }, text);
  if (label) {
    made.ariaLabel = label;
    made.title = label;
  }
  made.addEventListener("click", act);
  return made;
}
