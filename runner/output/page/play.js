// --- Takes of a row in step ---

/** Let the takes of a row play in step. `stills` are the boxes of their pictures, in the same order. */
function mountRow(/** @type {HTMLElement} */ row, /** @type {Take[]} */ takes, /** @type {HTMLElement[]} */ stills) {
  return { row, takes, stills };
}
