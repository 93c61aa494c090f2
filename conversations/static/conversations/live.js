// Asks at intervals for what is new since the page was opened, and offers a link to it. It stops when the server refuses.
"use strict";

(() => {
  const MAX_FAILURES = 3;
  for (const region of document.querySelectorAll("[data-live-url]")) {
    const link = region.querySelector("a");
    let failures = 0;
    let timer = 0;

    const ask = async () => {
      if (document.hidden) return;
      try {
        const response = await fetch(region.dataset.liveUrl, { redirect: "error" });
        if (!response.ok) throw new Error(response.statusText);
        const { count, text } = await response.json();
        failures = 0;
        if (!count || link.textContent === text) return;
        link.textContent = text;
        link.hidden = false;
      } catch {
        failures += 1;
        if (failures === MAX_FAILURES) clearInterval(timer);
      }
    };

    timer = setInterval(ask, 1000 * Number(region.dataset.liveSeconds));
  }
})();
