// Buttons to copy code and ids, and to expand or collapse all items. The page is readable without this script.
"use strict";

(() => {
  const transcript = document.getElementById("transcript");
  if (!transcript) return;
  const { copyText, copiedText, copyItemText, expandText, collapseText } = transcript.dataset;

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

  const copyButton = (text, source, label = copyText) =>
    button(label, async (element) => {
      await copy(text(), source);
      element.textContent = copiedText;
      setTimeout(() => (element.textContent = label), 2000);
    });

  // A tree has the text of its JSON without indentation, the numbers of entries, and strings that are shown as lines.
  const jsonOf = (tree) => {
    const copied = tree.cloneNode(true);
    for (const count of copied.querySelectorAll("summary > span:last-child")) count.remove();
    for (const lines of copied.querySelectorAll("pre")) lines.textContent = JSON.stringify(lines.textContent);
    let level = 0;
    const indent = (line) => {
      if (/^[}\]]/.test(line)) level -= 1;
      const indented = "  ".repeat(level) + line;
      if (/[{[]$/.test(line)) level += 1;
      return indented;
    };
    return copied.textContent.split("\n").filter(Boolean).map(indent).join("\n");
  };
  const TEXTS =
    ".conversations-text, .conversations-markdown, .conversations-json, .conversations-block pre:not([data-lines])";
  const textOf = (item) => {
    const isOwn = (text) => text.closest(".conversations-output, .conversations-item") === item;
    const outermost = (text) => !text.parentElement.closest(TEXTS);
    const texts = [...item.querySelectorAll(TEXTS)].filter((text) => isOwn(text) && outermost(text));
    return texts.map((text) => (text.matches(".conversations-json") ? jsonOf(text) : text.textContent)).join("\n\n");
  };

  for (const source of transcript.querySelectorAll("[data-copy]")) {
    const element = copyButton(() => source.dataset.copy, source.querySelector("code"));
    element.title = source.dataset.copy;
    source.append(element);
  }

  for (const entry of transcript.querySelectorAll("[data-copy-item]")) {
    const item = document.getElementById(entry.dataset.copyItem);
    entry.hidden = false;
    entry.append(copyButton(() => textOf(item), item, copyItemText));
  }

  for (const code of transcript.querySelectorAll("pre:not([data-lines]), .conversations-json")) {
    const frame = document.createElement("div");
    frame.className = "conversations-copied-code";
    code.replaceWith(frame);
    const text = () => (code.matches("pre") ? code.textContent : jsonOf(code));
    frame.append(code, copyButton(text, code));
  }

  const MENUS = ".conversations-menu";
  const closeMenus = (except) => {
    for (const menu of transcript.querySelectorAll(`${MENUS}[open]`)) menu.open = menu === except;
  };
  document.addEventListener("click", ({ target }) => closeMenus(target.closest(MENUS)));
  document.addEventListener("keydown", ({ key }) => {
    const menu = key === "Escape" && transcript.querySelector(`${MENUS}[open]`);
    if (!menu) return;
    menu.querySelector("summary").focus();
    closeMenus();
  });

  const setAll = (isOpen) => {
    for (const details of transcript.querySelectorAll(`details:not(${MENUS})`)) details.open = isOpen;
  };
  const views = transcript.querySelector(".conversations-views");
  views?.append(
    button(expandText, () => setAll(true)),
    button(collapseText, () => setAll(false)),
  );

  // Browsers do not scroll to a link's target inside closed <details>: open them first.
  const reveal = () => {
    const target = transcript.querySelector(":target") ?? transcript.querySelector("[aria-current=true][id]");
    if (!target) return;
    for (let details = target.closest("details"); details; details = details.parentElement.closest("details")) {
      details.open = true;
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Buttons to the previous and the next problem, counted from the item that is marked or else from the first one in view.
  const currentPosition = () => {
    const marked = transcript.querySelector(":target") ?? transcript.querySelector("[aria-current=true][id]");
    const inView = (item) => item.getBoundingClientRect().bottom > 0;
    const item = marked ?? [...transcript.querySelectorAll(".conversations-item")].find(inView);
    return Number(item?.dataset.position ?? 0) - (marked ? 0 : 0.5);
  };
  const problems = [...transcript.querySelectorAll("[data-problems] li a")];
  for (const element of transcript.querySelectorAll("[data-problem]")) {
    element.hidden = false;
    element.addEventListener("click", () => {
      const isNext = element.dataset.problem === "1";
      const from = currentPosition();
      const position = (link) => Number(link.dataset.position);
      const later = problems.filter((link) => position(link) > from);
      const earlier = problems.filter((link) => position(link) < from);
      const link = isNext ? (later[0] ?? problems[0]) : (earlier.at(-1) ?? problems.at(-1));
      if (document.getElementById(link.hash.slice(1))) location.hash = link.hash;
      else location.assign(link.href);
    });
  }
})();
