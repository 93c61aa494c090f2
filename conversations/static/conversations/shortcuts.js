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

  // `j` and `k` focus the link of the next or the previous row of a list, which Enter then opens.
  const moveToRow = (key) => {
    const step = { j: 1, k: -1 }[key];
    const links = [...document.querySelectorAll("[data-row]")];
    if (!step || !links.length) return false;
    const row = document.activeElement.closest("tr");
    const at = links.findIndex((link) => row?.contains(link));
    const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1);
    links[next].focus();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (moveToRow(event.key)) return event.preventDefault();
    const key = CSS.escape(event.key);
    const element = document.querySelector(`[data-shortcut="${key}"]`);
    if (!element) return;
    event.preventDefault();
    if (element.matches("input")) element.focus();
    else element.click();
  });
})();
