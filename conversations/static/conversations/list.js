// Adds rows to the filter form without a request, keeps empty fields out of the URL, and copies ids.
"use strict";

(() => {
  const form = document.getElementById("changelist-search");
  const rows = () => form.querySelectorAll(".conversations-condition");

  const addRow = () => {
    const last = rows()[rows().length - 1];
    const key = last.querySelector("input");
    if (!key.value) return key;
    const row = last.cloneNode(true);
    const number = rows().length;
    for (const error of row.querySelectorAll(".errorlist, [role=listbox]")) error.remove();
    for (const field of row.querySelectorAll("input, select")) {
      const label = row.querySelector(`label[for="${CSS.escape(field.id)}"]`);
      field.id = field.id.replace(/\d+/, number);
      label.htmlFor = field.id;
      if (field.matches("select")) field.selectedIndex = 0;
      else field.value = "";
      for (const name of ["aria-invalid", "aria-describedby"]) field.removeAttribute(name);
    }
    row.setAttribute("aria-label", row.getAttribute("aria-label").replace(/\d+/, number + 1));
    last.after(row);
    for (const input of row.querySelectorAll("input")) window.conversationsComplete?.(input);
    return row.querySelector("input");
  };

  form?.querySelector("[data-adds-condition]").addEventListener("click", (event) => {
    event.preventDefault();
    addRow().focus();
  });

  // Empty fields are no conditions: leave them out of the URL.
  form?.addEventListener("formdata", ({ formData }) => {
    for (const name of ["q", "owner", "created_from", "created_to"]) {
      if (!formData.get(name)) formData.delete(name);
    }
    const names = ["metadata_key", "metadata_operator", "metadata_value"];
    const values = names.map((name) => formData.getAll(name));
    for (const name of names) formData.delete(name);
    values[0].forEach((key, row) => {
      if (!key && values[1][row] === "eq" && !values[2][row]) return;
      names.forEach((name, column) => formData.append(name, values[column][row]));
    });
  });

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
      setTimeout(() => (button.textContent = copyText), 2000);
    });
    return button;
  };

  for (const element of document.querySelectorAll("[data-copies]")) {
    element.append(copyButton(element.dataset.copies, element.dataset));
  }
  const results = document.querySelector(".results[data-copy-text]");
  for (const link of results?.querySelectorAll("tbody .field-id a") ?? []) {
    link.after(" ", copyButton(link.textContent, results.dataset));
  }
})();
