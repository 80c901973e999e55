// --- On paper: a contact sheet ---

const MOST_PRINTED = 900;

/** Build what is printed, and ask for its posters at once: on paper nothing is scrolled to. */
function laidOut(/** @type {LongList} */ rows) {
  rows.fillFirst(MOST_PRINTED, (item) => item.takes?.length ?? 0);
  for (const [row] of mounted) showTakes(row, MOST_PRINTED);
  const posters = [...document.querySelectorAll("img.poster")];
  // A picture that is decoded later would be a white box.
  for (const image of posters) Object.assign(image, { loading: "eager", decoding: "sync" });
  return posters;
}

/** Let the page be printed from its button, from Ctrl+P and from the browser's menu. */
function printable(/** @type {LongList} */ rows) {
  async function print() {
    // A poster that cannot be shown is left out, and holds nothing up.
    laidOut(rows);
    await whole([...built.keys()]);
    await Promise.all(laidOut(rows).map((image) => image.decode().catch(() => {})));
    window.print();
  }
  at(".print").addEventListener("click", print);
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "p" || event.shiftKey || event.altKey) return;
    event.preventDefault();
    print();
  });
  window.addEventListener("beforeprint", () => { laidOut(rows); });
  window.addEventListener("afterprint", () => rows.settle());
}
