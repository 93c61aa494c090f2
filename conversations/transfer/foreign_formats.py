"""Recognize files of other formats, so that an import can say what it was given."""

import json
import re

PEEK = 64 * 1024  # bytes of the file's start that are looked at

_FORMATS = [
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb'\[(?s:.*)"mapping"\s*:', "ChatGPT's data export"),
    (rb"\[", "a JSON array"),
    (rb"{\s*\n", "indented JSON, with an object on several lines"),
    (rb"<", "HTML or XML"),
    (rb"# ", "Markdown"),
    (rb"(?:conversation_id|id),", "CSV"),
]
_LINE_FORMATS = {  # by a member of the first line's object
    "messages": "JSON Lines with messages, as for fine-tuning",
    "custom_id": "JSON Lines of batch requests",
}


def recognize(start: bytes) -> str | None:
    """Return what a file that begins with these bytes seems to be, or None if it may be JSON Lines of an export."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for pattern, name in _FORMATS:
        if re.match(pattern, text):
            return name
    try:
        line = json.loads(text.partition(b"\n")[0])
    except (RecursionError, ValueError):
        return None
    if not isinstance(line, dict) or "object" in line:
        return None
    return next((name for member, name in _LINE_FORMATS.items() if member in line), None)
