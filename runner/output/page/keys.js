// --- Keys, and the take that they mean ---

const KEYS = [
  ["← → ↑ ↓ or h l k j", "another take, another shot"],
  ["Space", "play or pause all takes of the shot in step"],
  [", and .", "one frame back or on, while they are there"],
  ["Enter or double click", "large, and beside another take"],
  ["p x m u", "pick, reject, maybe, undecided again"],
  ["e", "write a note"],
  ["1 … 9", "the take of this place in the row"],
  ["n and N", "next or previous shot without a decision"],
  ["d", "details"],
  ["/", "search"],
  ["Esc", "leave a field; then forget the filters"],
  ["?", "this list"],
];

/** Make the keys work. `board` shows the rows, and finds and reveals takes. */
function listen(/** @type {any} */ board) {
  const help = at("dialog.help");
  help.querySelector("dl").replaceWith(list(KEYS));
  for (const opener of document.querySelectorAll(".help-button")) opener.addEventListener("click", () => help.showModal());
  help.querySelector("button").addEventListener("click", () => help.close());
  document.addEventListener("focusin", ({ target }) => {
    const card = target.closest(".take") ?? target.closest(".row")?.querySelector('.take[data-here]');
    if (card) board.stand(card);
  });
  document.addEventListener("click", ({ target, detail }) => {
    // After a click by hand the space bar plays, and does not press the same button again.
    const pressed = detail && target.closest(".decide, .row > .transport button");
    if (pressed) pressed.closest(".row").querySelector('.take[data-here]').focus({ preventScroll: true });
  });
  document.addEventListener("dblclick", ({ target }) => {
    if (target.closest(".still") && !target.matches("[controls]")) board.open();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || at("dialog[open]")) return;
    if (typesIn(event) || !act(board, event)) return;
    event.preventDefault();
  });
}

/** Return whether a key belongs to the element that has the focus. */
function typesIn(/** @type {KeyboardEvent} */ event) {
  const { target, key } = event;
  // A bar that is dragged needs only the keys that move it.
  if (target.matches("[type=range]")) return /^(Arrow|Page|Home|End)/.test(key);
  if (target.matches("input, select, textarea")) {
    if (key === "Escape") target.closest(".take")?.focus() ?? target.blur();
    return true;
  }
  return [" ", "Enter"].includes(key) && target.matches("button, a, summary");
}

/** Do what a key says; return false if it says nothing. */
function act(/** @type {any} */ board, /** @type {KeyboardEvent} */ { key }) {
  const moves = { ArrowLeft: [0, -1], h: [0, -1], ArrowRight: [0, 1], l: [0, 1], ArrowUp: [-1, 0], k: [-1, 0], ArrowDown: [1, 0], j: [1, 0] };
  const words = { p: "pick", x: "reject", m: "maybe", u: "" };
  if (moves[key]) return board.move(...moves[key]);
  if (Object.hasOwn(words, key)) return board.decideHere(words[key]);
  if (/^[1-9]$/.test(key)) return board.goTo(board.row, Number(key) - 1);
  if (key === "n" || key === "N") return board.nextUndecided(key === "n" ? 1 : -1);
  const others = {
    " ": () => board.play(),
    ",": () => board.step(-1),
    ".": () => board.step(1),
    Enter: () => board.open(),
    d: () => board.unfold(),
    e: () => board.write(),
    "/": () => board.search(),
    "?": () => at("dialog.help").showModal(),
    Escape: () => board.forget(),
  };
  if (!others[key]) return false;
  return others[key]() ?? true;
}
