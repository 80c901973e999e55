"use strict";
// The page is complete without this: it adds filters, search, and first frames for the players further down.
(() => {
  const takes = [...document.querySelectorAll(".take")];
  const chips = [...document.querySelectorAll(".chip")];
  const box = document.querySelector(".search");
  const field = box.querySelector("input");
  const shown = document.querySelector(".shown");
  const texts = new Map();
  const textOf = (take) => {
    if (!texts.has(take)) texts.set(take, take.textContent.toLowerCase());
    return texts.get(take);
  };
  const apply = () => {
    const states = new Set(chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.dataset.state));
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const take of takes) {
      const fits = (!states.size || take.dataset.state.split(" ").some((state) => states.has(state))) && words.every((word) => textOf(take).includes(word));
      take.hidden = !fits;
      count += fits;
    }
    shown.value = states.size || words.length ? `${count} of ${takes.length}` : "";
  };
  for (const chip of chips) {
    chip.disabled = false;
    chip.addEventListener("click", () => {
      chip.ariaPressed = String(chip.ariaPressed !== "true");
      apply();
    });
  }
  box.hidden = false;
  field.addEventListener("input", apply);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input")) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && event.target === field) {
      field.value = "";
      apply();
    }
  });
  // Only one clip plays at a time, so that takes are compared and not mixed.
  document.addEventListener("play", (event) => {
    for (const video of document.querySelectorAll("video")) if (video !== event.target) video.pause();
  }, true);
  // Controls darken a still frame. With a mouse they appear on hover or focus, and hide again while the clip is paused.
  if (matchMedia("(hover: hover)").matches) {
    for (const video of document.querySelectorAll("video")) {
      video.tabIndex = 0;
      video.controls = false;
      const show = () => { video.controls = true; };
      const rest = () => { video.controls = !video.paused || video.matches(":hover, :focus"); };
      video.addEventListener("pointerenter", show);
      video.addEventListener("focus", show);
      video.addEventListener("pointerleave", rest);
      video.addEventListener("blur", rest);
    }
  }
  const near = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      target.preload = "metadata";
      near.unobserve(target);
    }
  }, { rootMargin: "600px" });
  for (const video of document.querySelectorAll('video[preload="none"]')) near.observe(video);
})();
