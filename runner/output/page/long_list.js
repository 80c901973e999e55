// --- A list of any length ---

const GROUP_SIZE = 4;

/** Shows items in groups: a group near the screen is built, one far from it is an empty box of its size. */
class LongList {
  /** @param {HTMLElement} root @param {(item: any) => HTMLElement} build @param {(element: Element) => void} leave */
  constructor(root, build, leave) {
    this.root = root;
    this.build = build;
    this.leave = leave;
    this.isOnPaper = false;
    this.groups = /** @type {Map<Element, any[]>} */ (new Map());
    this.groupOf = /** @type {Map<any, HTMLElement>} */ (new Map());
    this.near = new IntersectionObserver((seen) => this.move(seen), { rootMargin: "100% 0px" });
  }

  /** All items in their order. */
  get items() {
    return [...this.root.children].flatMap((group) => this.groups.get(group));
  }

  /** Show these items instead of those before. */
  show(/** @type {any[]} */ items) {
    this.near.disconnect();
    for (const group of this.groups.keys()) this.drop(group);
    this.groups.clear();
    this.groupOf.clear();
    this.root.replaceChildren();
    for (let at = 0; at < items.length; at += GROUP_SIZE) this.root.append(this.groupWith(items.slice(at, at + GROUP_SIZE)));
    let height = 0;
    let isInSight = true;
    for (const [group, part] of this.groups) {
      // What is in sight is there at once. The others wait until they come near.
      isInSight &&= group.getBoundingClientRect().top < innerHeight * 2;
      if (isInSight) this.fill(group);
      else group.style.height = `${height * part.length}px`;
      height ||= group.offsetHeight / part.length;
      this.near.observe(group);
    }
  }

  groupWith(/** @type {any[]} */ items) {
    const group = make("div", { className: "group" });
    this.groups.set(group, items);
    for (const item of items) this.groupOf.set(item, group);
    return group;
  }

  move(/** @type {IntersectionObserverEntry[]} */ seen) {
    // On paper nothing is near or far.
    if (this.isOnPaper) return;
    for (const { isIntersecting, target } of seen) {
      // What is seen of a group may be heard after it has gone.
      if (!this.groups.has(target)) continue;
      if (isIntersecting) this.fill(target);
      else this.empty(target);
    }
  }

  fill(/** @type {Element} */ group) {
    if (group.firstChild) return;
    group.append(...this.groups.get(group).map(this.build));
    group.style.height = "";
  }

  empty(/** @type {Element} */ group) {
    if (!group.firstChild || isInHand(group)) return;
    group.style.height = `${group.offsetHeight}px`;
    this.drop(group);
  }

  drop(/** @type {Element} */ group) {
    for (const element of group.children) this.leave(element);
    clear(group);
  }

  /** Build the group that holds an item, so that its element is there. */
  reveal(/** @type {any} */ item) {
    this.fill(this.groupOf.get(item));
  }

  /** Return the element of an item; null if it is not built. */
  elementOf(/** @type {any} */ item) {
    const group = this.groupOf.get(item);
    return group?.children[this.groups.get(group).indexOf(item)] ?? null;
  }

  /**
   * Show these items, of which most are there already.
   *
   * What a person has in hand stays where it is, also if it is none of them; return whether there is anything like that.
   */
  renew(/** @type {any[]} */ items) {
    const before = this.items;
    const places = new Map(before.map((item, place) => [item, place]));
    const settled = inOrder(items.filter((item) => places.has(item)), (item) => places.get(item));
    const strays = before.filter((item) => !settled.has(item));
    const held = new Set(strays.filter((item) => isInHand(this.elementOf(item))));
    for (const item of strays) if (!held.has(item)) this.remove(item);
    let last = null;
    for (const item of items) {
      if (held.has(item)) continue;
      if (!settled.has(item)) this.insert(item, last);
      last = item;
    }
    return held.size > 0;
  }

  remove(/** @type {any} */ item) {
    const group = this.groupOf.get(item);
    const part = this.groups.get(group);
    const element = this.elementOf(item);
    if (element) {
      this.leave(element);
      clear(element);
      element.remove();
    } else stretch(group, 1 - 1 / part.length);
    part.splice(part.indexOf(item), 1);
    this.groupOf.delete(item);
    if (part.length) return;
    this.near.unobserve(group);
    this.groups.delete(group);
    group.remove();
  }

  /** Insert an item after another one, or as the first. */
  insert(/** @type {any} */ item, /** @type {any | null} */ before) {
    let group = this.groupOf.get(before) ?? this.root.firstElementChild;
    if (!group) {
      group = this.root.appendChild(this.groupWith([item]));
      this.fill(group);
      this.near.observe(group);
      return;
    }
    if (this.groups.get(group).length >= 2 * GROUP_SIZE) this.part(group);
    group = this.groupOf.get(before) ?? this.root.firstElementChild;
    const part = this.groups.get(group);
    const place = part.indexOf(before) + 1;
    if (group.firstChild) group.insertBefore(this.build(item), group.children[place] ?? null);
    else stretch(group, 1 + 1 / part.length);
    part.splice(place, 0, item);
    this.groupOf.set(item, group);
  }

  /** Make two groups of one that has grown. What a person has in hand is not moved: it would lose the focus, or stop. */
  part(/** @type {HTMLElement} */ group) {
    const part = this.groups.get(group);
    const [first, second] = [[0, GROUP_SIZE], [GROUP_SIZE, part.length]];
    const bounds = [second, first].find((each) => ![...group.children].slice(...each).some(isInHand));
    if (!bounds) return;
    const elements = [...group.children].slice(...bounds);
    const share = (bounds[1] - bounds[0]) / part.length;
    const other = this.groupWith(part.splice(bounds[0], bounds[1] - bounds[0]));
    if (bounds === second) group.after(other);
    else group.before(other);
    other.append(...elements);
    if (!elements.length) {
      other.style.height = group.style.height;
      stretch(other, share);
      stretch(group, 1 - share);
    }
    this.near.observe(other);
  }

  /** Build the first items, as long as `weight` of them together is at most `most`, for paper. */
  fillFirst(/** @type {number} */ most, /** @type {(item: any) => number} */ weight) {
    this.isOnPaper = true;
    for (const group of this.root.children) {
      if (most > 0) this.fill(group);
      for (const item of this.groups.get(group)) most -= weight(item);
    }
  }

  /** Empty again what is far from the screen. */
  settle() {
    this.isOnPaper = false;
    for (const group of this.groups.keys()) {
      this.near.unobserve(group);
      this.near.observe(group);
    }
  }
}

/** Change the height of a group that is not built. */
function stretch(/** @type {HTMLElement} */ group, /** @type {number} */ times) {
  group.style.height = `${parseFloat(group.style.height || "0") * times}px`;
}

/** Return whether a person has something of an element in hand: the focus, also behind a dialog, open details or a player. */
function isInHand(/** @type {Element | null} */ element) {
  if (!element) return false;
  if (element.contains(document.activeElement) || element.matches(".playing") || element.querySelector("details[open], .playing")) return true;
  return at("dialog[open]") !== null && element.querySelector(".take.current") !== null;
}

/** Return as many of these items as can stay where they are, while the others move around them (a longest rising sequence). */
function inOrder(/** @type {any[]} */ items, /** @type {(item: any) => number} */ placeOf) {
  // Of each length the sequence that ends lowest, by the number of its last item.
  const ends = /** @type {number[]} */ ([]);
  const earlier = items.map((item, number) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (placeOf(items[ends[middle]]) < placeOf(item)) low = middle + 1;
      else high = middle;
    }
    ends[low] = number;
    return ends[low - 1];
  });
  const found = new Set();
  for (let number = ends.at(-1); number !== undefined; number = earlier[number]) found.add(items[number]);
  return found;
}
