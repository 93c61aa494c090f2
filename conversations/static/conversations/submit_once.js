// Marks a form as busy while its request runs, and sends it once however often its button is pressed.
"use strict";

(() => {
  const BUSY_SECONDS = 60; // No browser reports that a request was stopped or failed.
  const DOWNLOAD_SECONDS = 2; // A download leaves the page open.

  const end = (form) => form.removeAttribute("aria-busy");

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    if (form.hasAttribute("aria-busy")) return event.preventDefault();
    form.setAttribute("aria-busy", "true");
    setTimeout(end, 1000 * (form.hasAttribute("data-downloads") ? DOWNLOAD_SECONDS : BUSY_SECONDS), form);
  });

  // The browser may show this page again as it was left.
  addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(end));
})();
