// What the page can do only with a script: copy, and open or close everything. All of it can be read without.
"use strict";

(() => {
  const transcript = document.getElementById("transcript");
  if (!transcript) return;
  const { copyText, copiedText, expandText, collapseText } = transcript.dataset;

  const button = (text, press) => {
    const element = document.createElement("button");
    element.type = "button";
    element.className = "conversations-button";
    element.textContent = text;
    element.addEventListener("click", () => press(element));
    return element;
  };

  // The clipboard is missing where the page came over plain HTTP.
  const copy = async (text, element) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  };

  const copyButton = (text, source) =>
    button(copyText, async (element) => {
      await copy(text(), source);
      element.textContent = copiedText;
      setTimeout(() => (element.textContent = copyText), 2000);
    });

  for (const copied of transcript.querySelectorAll("[data-copy]")) {
    const element = copyButton(() => copied.dataset.copy, copied.querySelector("code"));
    element.title = copied.dataset.copy;
    copied.append(element);
  }

  for (const pre of transcript.querySelectorAll("pre")) {
    const frame = document.createElement("div");
    frame.className = "conversations-copied-code";
    pre.replaceWith(frame);
    frame.append(pre, copyButton(() => pre.textContent, pre));
  }

  const setAll = (isOpen) => {
    for (const details of transcript.querySelectorAll("details")) details.open = isOpen;
  };
  const views = transcript.querySelector(".conversations-views");
  views?.append(button(expandText, () => setAll(true)), button(collapseText, () => setAll(false)));

  // A link to something inside of closed details leads to nothing.
  const reveal = () => {
    const target = transcript.querySelector(":target");
    if (!target) return;
    for (let details = target.closest("details"); details; details = details.parentElement.closest("details")) {
      details.open = true;
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
