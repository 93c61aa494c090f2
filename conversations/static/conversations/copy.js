// Buttons that copy what an element names: ids in lists, and the texts of elements with `data-copies`.
"use strict";

(() => {
  // Browsers offer the clipboard to pages over HTTPS only.
  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  };

  const copyButton = (text, { copyText, copiedText, copyLabel }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "conversations-copy";
    button.textContent = copyText;
    if (copyLabel) button.setAttribute("aria-label", `${copyLabel} ${text}`);
    button.addEventListener("click", async () => {
      await copy(text);
      button.textContent = copiedText;
      button.classList.add("conversations-copied");
      setTimeout(() => {
        button.textContent = copyText;
        button.classList.remove("conversations-copied");
      }, 2000);
    });
    return button;
  };

  for (const element of document.querySelectorAll("[data-copies]")) {
    element.append(copyButton(element.dataset.copies, element.dataset));
  }
  const results = document.querySelector(".results[data-copy-text]");
  for (const id of results?.querySelectorAll("[data-copy-id]") ?? []) {
    id.after(" ", copyButton(id.dataset.copyId, results.dataset));
  }
})();
