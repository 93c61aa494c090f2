"""What there is to read in an item, and the words that full-text search takes it for.

Words are in lower case and without compatibility forms: full-width letters are plain ones, `ß` is `ss`. Accents count.
Punctuation parts words, `_` included. Of scripts that write no spaces, and of emoji, each character is a word, so that
a phrase of them is found within a longer text. Skin tones do not count.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX_CHARACTERS = 100_000  # of one item that are searched
MAX_WORD_LENGTH = 64  # of longer words, only these characters count
MAX_OPAQUE_CHARACTERS = 1_000

# The members that are read, by type. The definitions of tools are not: each conversation that has the tool would be
# found by them. What is opaque is not either: files, images, encrypted content.
READ: Mapping[str, Sequence[str]] = {
    "additional_tools": (),
    "apply_patch_call": ("operation",),
    "apply_patch_call_output": ("output",),
    "code_interpreter_call": ("code", "outputs"),
    "compaction": (),
    "compaction_trigger": (),
    "computer_call": ("action", "actions"),
    "computer_call_output": (),
    "configuration_update": (),
    "custom_tool_call": ("name", "input"),
    "custom_tool_call_output": ("output",),
    "file_search_call": ("queries", "results"),
    "function_call": ("name", "arguments"),
    "function_call_output": ("output",),
    "image_generation_call": ("revised_prompt",),
    "item_reference": (),
    "local_shell_call": ("action",),
    "local_shell_call_output": ("output",),
    "mcp_approval_request": ("server_label", "name", "arguments"),
    "mcp_approval_response": ("reason",),
    "mcp_call": ("server_label", "name", "arguments", "output", "error"),
    "mcp_list_tools": ("server_label", "error"),
    "message": ("content",),
    "program": ("code",),
    "program_output": ("result",),
    "reasoning": ("summary", "content"),
    "shell_call": ("action",),
    "shell_call_output": ("output",),
    "tool_search_call": ("arguments",),
    "tool_search_output": (),
    "web_search_call": ("action",),
}

# Members of members that say nothing, wherever they are.
_SKIPPED = {
    *("id", "type", "status", "role", "call_id", "file_id", "container_id", "detail", "annotations", "logprobs"),
    *("image_url", "file_data", "encrypted_content"),
}
_ESCAPES = re.compile(r'(?:\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]))+')
_SPACES = re.compile(r"\s")
_GAP = r"[\W_]*"
_EMPTY = {0xAD, 0xFE0E, 0xFE0F}  # the soft hyphen, and how to show the emoji before it
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai, Lao, Burmese, Khmer
    *((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # kana, Han
    (0xAC00, 0xD7AF),  # Hangul, which glues its endings to the words
)


class _Table(dict[int, str]):
    """What becomes of each character, found out when one is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if code in _EMPTY:
            becomes = ""
        elif category == "So" or any(first <= code <= last for first, last in _UNSPACED):
            becomes = f" {character} "
        else:
            becomes = character if category[0] in "LMN" else " "
        self[code] = becomes
        return becomes


_TABLE = _Table()


def text_of(item_type: str, data: Any) -> str:
    """At most `MAX_CHARACTERS` of the item's text; of a type that is not known, all that it holds."""
    if not isinstance(data, dict):
        return ""
    members = READ[item_type] if item_type in READ else [name for name in data if name not in _SKIPPED]
    found: list[str] = []
    length = 0
    for text in (text for name in members for text in _texts(data.get(name))):
        found.append(text)
        length += len(text) + 1
        if length > MAX_CHARACTERS:
            break
    return unicodedata.normalize("NFC", "\n".join(found)[:MAX_CHARACTERS])


def words(text: str) -> list[str]:
    return [word[:MAX_WORD_LENGTH] for word in _folded(text)[:MAX_CHARACTERS].translate(_TABLE).split()]


def place_of(phrase: Sequence[str], text: str) -> tuple[int, int] | None:
    """Where these words are next to each other in the text for the first time: begin and end."""
    folded = _folded(text)
    starts = range(len(text) + 1)
    if len(folded) != len(text):
        parts = [_folded(character) for character in text]
        if "".join(parts) != folded:
            return None
        starts = [n for n, part in enumerate(parts) for _ in part] + [len(text)]  # type: ignore[assignment]
    for match in re.finditer(_GAP.join(map(re.escape, phrase)), folded):
        begin, end = match.span()
        if words(match[0]) == list(phrase) and _is_edge(folded, begin) and _is_edge(folded, end):
            return starts[begin], starts[end - 1] + 1
    return None


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _is_edge(folded: str, at: int) -> bool:
    """Whether no word goes on here."""
    around = folded[max(at - 1, 0) : at + 1]
    return len(around) < 2 or around.translate(_TABLE).strip() != around


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if not _is_opaque(value):
            yield _unescaped(value[:MAX_CHARACTERS])
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name not in _SKIPPED:
                yield from _texts(member)


def _unescaped(text: str) -> str:
    """JSON, as arguments and many outputs are, may hold any character as an escape."""
    if "\\" not in text or not text.lstrip().startswith(("{", "[")):
        return text
    return _ESCAPES.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    characters: str = json.loads(f'"{match[0]}"')
    return characters.encode(errors="replace").decode()


def _is_opaque(text: str) -> bool:
    """Base64 and the like."""
    if text.startswith("data:"):
        return True
    start = text[:MAX_OPAQUE_CHARACTERS]
    return len(text) > MAX_OPAQUE_CHARACTERS and start.isascii() and not _SPACES.search(start)
