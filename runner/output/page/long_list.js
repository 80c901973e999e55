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
    this.near = new IntersectionObserver((seen) => this.move(seen), { rootMargin: "100% 0px" });
  }

  /** Show these items instead of those before. */
  show(/** @type {any[]} */ items) {
    this.near.disconnect();
    for (const group of this.groups.keys()) this.drop(group);
    this.groups.clear();
    this.root.replaceChildren();
    for (let at = 0; at < items.length; at += GROUP_SIZE) {
      this.groups.set(this.root.appendChild(make("div", { className: "group" })), items.slice(at, at + GROUP_SIZE));
    }
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

  move(/** @type {IntersectionObserverEntry[]} */ seen) {
    // On paper nothing is near or far.
    if (this.isOnPaper) return;
    for (const { isIntersecting, target } of seen) {
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
    // What a person has opened or stands in stays as it is.
    if (!group.firstChild || group.contains(document.activeElement) || group.querySelector("details[open], .playing")) return;
    group.style.height = `${group.offsetHeight}px`;
    this.drop(group);
  }

  drop(/** @type {Element} */ group) {
    for (const element of group.children) this.leave(element);
    clear(group);
  }

  /** Build the group that holds an item, so that its element is there. */
  reveal(/** @type {any} */ item) {
    for (const [group, part] of this.groups) {
      if (!part.includes(item)) continue;
      this.fill(group);
      return;
    }
  }

  /** Build the first items, as long as `weight` of them together is at most `most`, for paper. */
  fillFirst(/** @type {number} */ most, /** @type {(item: any) => number} */ weight) {
    this.isOnPaper = true;
    for (const [group, part] of this.groups) {
      if (most > 0) this.fill(group);
      for (const item of part) most -= weight(item);
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
