// Adds rows to the filter form without a request, and keeps empty fields out of the URL.
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

  // Empty fields are no conditions, and columns are saved by their own button: leave the others out of the URL.
  let submitter = null;
  form?.addEventListener("submit", (event) => (submitter = event.submitter));
  form?.addEventListener("formdata", ({ formData }) => {
    if (!submitter?.matches("[data-saves-columns]")) {
      for (const name of ["columns", "column_key"]) formData.delete(name);
    }
    for (const field of form.querySelectorAll("#searchbar, .conversations-others :is(input, select)")) {
      if (!field.value) formData.delete(field.name);
    }
    const names = ["metadata_key", "metadata_operator", "metadata_value"];
    const values = names.map((name) => formData.getAll(name));
    for (const name of names) formData.delete(name);
    values[0].forEach((key, row) => {
      if (!key && values[1][row] === "eq" && !values[2][row]) return;
      names.forEach((name, column) => formData.append(name, values[column][row]));
    });
  });
})();
