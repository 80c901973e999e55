// --- One or two takes, large ---

/** Show the takes of a shot large, beginning with the `first`-th. */
function openLightbox(/** @type {Take[]} */ takes, first = 0) {
  return { takes, first };
}
