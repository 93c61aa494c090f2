// Suggests metadata keys and values while you type: a combobox as in https://www.w3.org/WAI/ARIA/apg/patterns/combobox/
"use strict";

(() => {
  const url = document.querySelector("[data-suggestions]")?.dataset.suggestions;
  if (!url) return;
  const MIN_LETTERS = 2;
  const DELAY = 150;

  const WORD = /[\p{L}\p{M}\p{N}_.-]*/u.source;
  const QUOTED = /"(?:[^"\\]|\\["\\])*/.source;
  const KEY = new RegExp(`(?:^|[\\s(])-?((?!-)${WORD})$`, "u");
  const QUOTED_KEY = new RegExp(`metadata\\[(${QUOTED})$`, "u");
  const VALUE = new RegExp(
    `(?:^|[\\s(-])(?:((?!-)${WORD})|metadata\\[(${QUOTED}")\\])[:~^]((?:${QUOTED})|[^\\s"()]*)$`,
    "u",
  );

  const quote = (text) => `"${text.replace(/[\\"]/g, "\\$&")}"`;
  const unquote = (text) =>
    text
      .replace(/^"/, "")
      .replace(/"$/, "")
      .replace(/\\(["\\])/g, "$1");
  const isWord = (text) => new RegExp(`^(?!-)${WORD}$`, "u").test(text) && !["", "AND", "OR", "created"].includes(text);

  // The text at the caret of each kind of field, or null if it takes no suggestion: its prefix, the key if it is a value,
  // and a function that returns the field's text before and after the caret once a suggestion is inserted.
  const questions = {
    key: (input) => ({ prefix: input.value, insert: (text) => [text, ""] }),
    value: (input) => {
      const key = input.closest(".conversations-condition").querySelector("[name=metadata_key]").value;
      return key ? { key, prefix: input.value, insert: (text) => [text, ""] } : null;
    },
    query: (input) => {
      const before = input.value.slice(0, input.selectionStart);
      const after = input.value.slice(input.selectionStart);
      const replacing = (length, text) => [before.slice(0, before.length - length) + text, after];
      let match = before.match(VALUE);
      if (match) {
        const key = match[1] ?? unquote(match[2]);
        if (!key || key === "created") return null;
        const bare = /^[^\s"'()\u2018\u201c*][^\s"()]*$/u;
        const insert = (text) => replacing(match[3].length, bare.test(text) ? text : quote(text));
        return { key, prefix: unquote(match[3]), insert };
      }
      match = before.match(QUOTED_KEY) ?? before.match(KEY);
      if (!match) return null;
      const isQuoted = match[1].startsWith('"');
      const length = isQuoted ? match[1].length + "metadata[".length : match[1].length;
      const insert = (text) => replacing(length, (isWord(text) ? text : `metadata[${quote(text)}]`) + ":");
      return { prefix: isQuoted ? unquote(match[1]) : match[1], insert };
    },
  };

  let count = 0;

  const complete = (input) => {
    const list = document.createElement("ul");
    list.id = `conversations-suggestions-${(count += 1)}`;
    list.className = "conversations-suggestions";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", input.labels[0]?.textContent ?? input.getAttribute("aria-label"));
    list.hidden = true;
    const frame = document.createElement("span");
    frame.className = "conversations-combobox";
    // A cloned row already has the frame of the original.
    if (input.parentElement.className === frame.className) input.parentElement.append(list);
    else {
      input.replaceWith(frame);
      frame.append(input, list);
    }
    const attributes = {
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": list.id,
    };
    for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
    let current = -1;
    let question = null;
    let timer = 0;
    let request = null;

    const close = () => {
      clearTimeout(timer);
      request?.abort();
      list.hidden = true;
      list.replaceChildren();
      current = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    };

    const choose = (text) => {
      const [before, after] = question.insert(text);
      input.value = before + after;
      input.setSelectionRange(before.length, before.length);
      close();
      if (input.dataset.completes === "query" && before.endsWith(":")) ask();
    };

    const mark = (index) => {
      list.children[current]?.setAttribute("aria-selected", "false");
      current = (index + list.children.length) % list.children.length;
      const option = list.children[current];
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", option.id);
    };

    const show = (texts) => {
      close();
      if (!texts.length || document.activeElement !== input) return;
      list.append(
        ...texts.map((text, index) => {
          const option = document.createElement("li");
          option.id = `${list.id}-${index}`;
          option.setAttribute("role", "option");
          option.setAttribute("aria-selected", "false");
          option.textContent = text || "“”";
          option.addEventListener("mousedown", (event) => {
            event.preventDefault();
            choose(text);
          });
          return option;
        }),
      );
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
    };

    const ask = async () => {
      question = questions[input.dataset.completes](input);
      const isKey = question && question.key === undefined;
      const isOffered = isKey && input.dataset.completes === "key" && !question.prefix;
      if (!question || (question.prefix.length < MIN_LETTERS && !isOffered)) return close();
      const parameters = new URLSearchParams({ prefix: question.prefix });
      if (!isKey) parameters.set("key", question.key);
      request?.abort();
      request = new AbortController();
      const { signal } = request;
      try {
        const response = await fetch(`${url}?${parameters}`, { signal });
        if (!response.ok) return close();
        const { data } = await response.json();
        if (!signal.aborted) show(data.filter((text) => text !== input.value));
      } catch (error) {
        if (error.name !== "AbortError") close();
      }
    };

    const askSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, DELAY);
    };

    input.addEventListener("input", askSoon);
    input.addEventListener("focus", () => {
      if (input.dataset.completes === "key" && !input.value) askSoon();
    });
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "ArrowDown" && list.hidden) ask();
      else if (list.hidden) return;
      else if (event.key === "ArrowDown") mark(current + 1);
      else if (event.key === "ArrowUp") mark(current < 0 ? -1 : current - 1);
      else if (event.key === "Enter" && current >= 0) list.children[current].dispatchEvent(new MouseEvent("mousedown"));
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
    });
  };

  window.conversationsComplete = complete;
  for (const input of document.querySelectorAll("input[data-completes]")) complete(input);
})();
