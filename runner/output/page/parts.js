// --- Data beside a large page ---
// The page holds the takes that it shows first. What all takes are found by comes at once from a few files, and all
// else about a take once it is built. `page_data.py` makes the files.

/**
 * @typedef {object} Parts
 * @property {number} count  of all takes
 * @property {number} page  takes in a file of takes
 * @property {number} step  takes in a file of the index, whole pages
 * @property {string[]} pages  addresses, as are those of `index`
 * @property {string[]} index
 */

// So many files of takes are in memory at most, beside those on the screen.
const MOST_PAGES = 24;
/** What is said of a take until its file has been read. */
const FURTHER = {
  note: "", notes: "", poster: null, sidecar: null, facts: [], comments: [], outputs: [], inputs: [], prompt: -1, frames: [], details: [],
  clipSeconds: null, fps: null, isWhole: false,
};
const parts = {
  /** Null on a page that holds all of its takes. */
  known: /** @type {Parts | null} */ (null),
  /** The takes that are known so far, by their order. */
  takes: /** @type {Take[]} */ ([]),
  /** False until all takes are known. */
  isComplete: true,
  ready: Promise.resolve(),
  /** What is done with the content of a file, by its name. */
  awaited: /** @type {Map<string, (packed: string) => void>} */ (new Map()),
  /** The files of takes that are read, the latest used last. */
  pages: /** @type {Map<number, Promise<void>>} */ (new Map()),
  words: /** @type {Promise<void> | null} */ (null),
};

/** Take the content of a file; each file calls this. */
function arrived(/** @type {string} */ name, /** @type {string} */ packed) {
  parts.awaited.get(name)?.(packed);
}

/** Return the value in a file. A script may be loaded from the disk, where nothing can be fetched. */
function valueIn(/** @type {string} */ address) {
  const name = address.split("/").at(-1);
  return new Promise((resolve, reject) => {
    const script = make("script", { src: address });
    const leave = () => {
      parts.awaited.delete(name);
      script.remove();
    };
    parts.awaited.set(name, (packed) => resolve(unpacked(packed)));
    script.addEventListener("load", leave);
    script.addEventListener("error", () => {
      leave();
      reject(new Error(`${address} cannot be loaded`));
    });
    document.head.append(script);
  });
}

/** Read what all takes are found by. */
async function readIndex(/** @type {Board} */ board) {
  const { index, step } = parts.known;
  let next = valueIn(index[0]);
  for (let number = 0; number < index.length; number++) {
    const found = await next;
    if (number + 1 < index.length) next = valueIn(index[number + 1]);
    board.add(found.map((take, place) => Object.assign(take, FURTHER, { order: number * step + place })));
  }
  parts.isComplete = true;
  board.complete();
}

/** Read all that is not known yet about these takes. */
async function whole(/** @type {Take[]} */ takes) {
  if (!parts.known) return;
  const pages = new Set(takes.filter((take) => !take.isWhole).map((take) => Math.floor(take.order / parts.known.page)));
  try {
    await Promise.all([...pages].map(pageOf));
  } catch (error) {
    sayLost(error);
  }
}

function sayLost(/** @type {Error} */ { message }) {
  at(".said").value = `Not all is shown: ${message}. Keep the folder report-data beside the page, and load the page again.`;
}

function pageOf(/** @type {number} */ page) {
  const coming = parts.pages.get(page) ?? readPage(page);
  parts.pages.delete(page);
  parts.pages.set(page, coming);
  return coming;
}

async function readPage(/** @type {number} */ page) {
  try {
    const changed = /** @type {Set<Take>} */ (new Set());
    for (const [take, rest] of await restsOf(page)) {
      // A live page may have heard something newer.
      if (!take.isWhole) changed.add(Object.assign(take, rest, { isWhole: true }));
    }
    for (const take of changed) if (texts.has(take)) rememberWords(take);
    document.dispatchEvent(new CustomEvent("arrived", { detail: changed }));
  } catch (error) {
    parts.pages.delete(page);
    throw error;
  }
  forgetPages();
}

/** Return the takes of a file with all else that is said of them. */
async function restsOf(/** @type {number} */ page) {
  const first = page * parts.known.page;
  const rests = await valueIn(parts.known.pages[page]);
  return rests.map((rest, place) => [parts.takes[first + place], rest]).filter(([take]) => take);
}

/** Forget the files that were used longest ago, but none of which a take is built. */
function forgetPages() {
  for (const page of parts.pages.keys()) {
    if (parts.pages.size <= MOST_PAGES) return;
    const takes = parts.takes.slice(page * parts.known.page, (page + 1) * parts.known.page);
    if (takes.some((take) => built.has(take))) continue;
    parts.pages.delete(page);
    for (const take of takes) Object.assign(take, FURTHER);
  }
}

/** Read the words of all takes, such as their prompts, for a search; nothing else of them is kept. */
async function readWords(/** @type {Board} */ board) {
  await parts.ready;
  for (let page = 0; page < parts.known.pages.length; page++) {
    const rests = await restsOf(page);
    for (const [take, rest] of rests) rememberWords(take, take.isWhole ? take : { ...take, ...rest });
    at(".said").value = `Searching: ${Math.round((100 * (page + 1)) / parts.known.pages.length)} % of the prompts are read.`;
  }
  at(".said").value = "";
  board.follow();
}
