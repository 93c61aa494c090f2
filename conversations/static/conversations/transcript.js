// Buttons to copy code and ids, and to expand or collapse all items. The page is readable without this script.
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

  // navigator.clipboard is undefined on pages that are served over plain HTTP.
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

  for (const source of transcript.querySelectorAll("[data-copy]")) {
    const element = copyButton(() => source.dataset.copy, source.querySelector("code"));
    element.title = source.dataset.copy;
    source.append(element);
  }

  for (const pre of transcript.querySelectorAll("pre")) {
    const frame = document.createElement("div");
    frame.className = "conversations-copied-code";
    pre.replaceWith(frame);
    frame.append(
      pre,
      copyButton(() => pre.textContent, pre),
    );
  }

  const setAll = (isOpen) => {
    for (const details of transcript.querySelectorAll("details")) details.open = isOpen;
  };
  const views = transcript.querySelector(".conversations-views");
  views?.append(
    button(expandText, () => setAll(true)),
    button(collapseText, () => setAll(false)),
  );

  // Browsers do not scroll to a link's target inside closed <details>: open them first.
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
