// Single-key shortcuts, unless they are switched off: a key clicks or focuses the element with its `data-shortcut`.
"use strict";

(() => {
  const settings = document.querySelector("[data-shortcuts]");
  if (!settings) return;

  for (const button of document.querySelectorAll("[data-opens]")) {
    button.hidden = false;
    button.addEventListener("click", () => document.getElementById(button.dataset.opens).showModal());
  }

  if (settings.dataset.shortcuts !== "on") return;

  const isTyping = (element) => element.isContentEditable || element.matches("input, textarea, select");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const key = CSS.escape(event.key);
    const element = document.querySelector(`[data-shortcut="${key}"]`);
    if (!element) return;
    event.preventDefault();
    if (element.matches("input")) element.focus();
    else element.click();
  });
})();
