"""Extract the readable text of an item, and split it into the words that full-text search compares.

Words are case-folded and NFKC-normalized: full-width letters become plain ones and `ß` becomes `ss`. Accents are
significant. Punctuation, including `_`, separates words. Each emoji, and each character of a script that is written
without spaces, is a word of its own, so that a phrase of them is found inside a longer text. Skin tones are ignored.
"""

import json
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from conversations.schema.items import ITEM_TYPES
from conversations.schema.json_limits import LONE_SURROGATE, REPLACEMENT, replace_nul

MAX_CHARACTERS = 100_000  # of an item; the rest is not searched
MAX_WORD_LENGTH = 64  # Longer words are cut to this length.
MAX_OPAQUE_CHARACTERS = 1_000  # A longer text that starts with this many characters without a space is opaque.

# Members without readable text, at any depth.
_SKIPPED = {
    *("id", "type", "status", "role", "call_id", "file_id", "container_id", "detail", "annotations", "logprobs"),
    *("image_url", "file_data", "encrypted_content"),
}
_ESCAPES = re.compile(r'(?:\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]))+')
_SPACES = re.compile(r"\s")
_IGNORED = "\u00ad\ufe0e\ufe0f"  # The soft hyphen, and the variation selectors for text and emoji style.
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai, Lao, Burmese and Khmer.
    *((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # Kana and Han.
    (0xAC00, 0xD7AF),  # Hangul, because Korean appends particles to words without a space.
)
# Characters that are not marks but may compose with the preceding character: conjoining Hangul vowels and final
# consonants, and a Kirat Rai vowel sign.
_COMPOSING = {*map(chr, range(0x1160, 0x1200)), "\U00016d67"}
# Characters that neither compose with the preceding character nor continue a word, so a text can be split before them
# and its chunks processed separately: white space, punctuation, Thai consonants, symbols, kana, Han, Hangul, emoji.
_SEPARATE = (
    r"\s!-/\u0e01-\u0e30\u2500-\u2767\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
    r"\U0001f300-\U0001faff"
)
# The length is a compromise between few chunks and short chunks. A chunk is longer if it has no character to split at,
# but not unlimited: the time of a normalization grows with the square of the number of consecutive marks.
_CHUNKS = re.compile(rf".{{1000}}[^{_SEPARATE}]{{0,3000}}|.+", re.DOTALL)


class _Table(dict[int, str]):
    """Map each character for `str.translate`, so that spaces separate words. Entries are added on first use."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character in _IGNORED:
            replacement = ""
        elif category == "So" or any(first <= code <= last for first, last in _UNSPACED):
            replacement = f" {character} "
        else:
            replacement = character if category[0] in "LMN" else " "
        self[code] = replacement
        return replacement


_TABLE = _Table()


def extract_text(item_type: str, data: Any) -> str:
    """Return up to `MAX_CHARACTERS` of the item's readable text. All members of an unknown type are included.

    U+FFFD stands for NUL characters, which no column and no page can hold.
    """
    if not isinstance(data, dict):
        return ""
    registered = ITEM_TYPES.get(item_type)
    members = registered.searchable if registered else [name for name in data if name not in _SKIPPED]
    texts: list[str] = []
    length = 0
    for text in (text for name in members for text in _texts(data.get(name))):
        texts.append(text)
        length += len(text) + 1
        if length > MAX_CHARACTERS:
            break
    chunks = _CHUNKS.findall(replace_nul("\n".join(texts)[:MAX_CHARACTERS]))
    return "".join(unicodedata.normalize("NFC", chunk) for chunk in chunks)


def split_words(text: str) -> list[str]:
    """Return the words of the text, each up to `MAX_WORD_LENGTH` characters long."""
    folded = "".join(folded for _, _, folded in _chunks(text))
    return [word[:MAX_WORD_LENGTH] for word in folded.translate(_TABLE).split()]


def find_phrase(phrase: Sequence[str], text: str) -> tuple[int, int] | None:
    """Return the start and end of the first occurrence of the phrase, which is a list of words from `split_words()`.

    Return None if the text doesn't have the phrase, or has it only with a word that is longer than `MAX_WORD_LENGTH`,
    because such a word may differ from the word in the phrase.

    The span never splits a character, nor characters that compose, such as a letter and its accent. It may include more
    than the phrase if they contain several words, such as `½`.
    """
    if not phrase:
        return None
    fallbacks = _fallbacks(phrase)
    # The Knuth-Morris-Pratt algorithm takes linear time for any text, including repetitive ones.
    matched = 0  # The number of words of the phrase that the preceding words of the text match.
    start, word_count = 0, 0  # The region that a match may begin in: its start, and its number of words so far.
    spaced_chunks: list[str] = []
    for chunk_start, chunk_end, folded in _chunks(text):
        if not matched:
            start, word_count, spaced_chunks = chunk_start, 0, []
            # Skipping a chunk is much faster than splitting it. A word with ignored characters can't be looked up.
            if phrase[0] not in folded and not any(character in folded for character in _IGNORED):
                continue
        spaced = folded.translate(_TABLE)
        spaced_chunks.append(spaced)
        for word in spaced.split():
            word_count += 1
            while matched and phrase[matched] != word:
                matched = fallbacks[matched - 1]
            if phrase[matched] == word:
                matched += 1
            if matched == len(phrase):
                # Offsets are slow to determine, so this is done only for the region that has the phrase.
                span = _locate(text[start:chunk_end], "".join(spaced_chunks), word_count - matched, word_count - 1)
                return span and (start + span[0], start + span[1])
    return None


def _locate(text: str, spaced: str, first: int, last: int) -> tuple[int, int] | None:
    """Return the offsets in the text at which the first of these words begins and the last one ends.

    The words are given by their indexes in the spaced text, which may be cut at the end. Return None if the words can't
    be attributed to the characters of the text.
    """
    spans = [match.span() for match in re.finditer("[^ ]+", spaced)]
    begin, end = spans[first][0], spans[last][1]
    if text.isascii():
        return begin, end
    units = _units(text)
    spaced_units = [_spaced_character(unit) if len(unit) == 1 else _space_out(unit) for unit in units]
    if not "".join(spaced_units).startswith(spaced):
        return None
    starts = [0, *accumulate(map(len, units))]
    ends = list(accumulate(map(len, spaced_units)))
    last_unit = bisect_left(ends, end)
    # Ignored characters that follow, like the variation selector of an emoji, belong to the word.
    return starts[bisect_right(ends, begin)], starts[bisect_right(ends, ends[last_unit])]


def _fallbacks(phrase: Sequence[str]) -> list[int]:
    """Return, for each word, the length of the longest proper prefix of the phrase that ends with this word.

    This is the failure function of the Knuth-Morris-Pratt algorithm.
    """
    lengths = [0]
    for word in phrase[1:]:
        length = lengths[-1]
        while length and phrase[length] != word:
            length = lengths[length - 1]
        lengths.append(length + (phrase[length] == word))
    return lengths


def _chunks(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the start, end and folded text of each chunk, up to `MAX_CHARACTERS` of folded text in total."""
    remaining = MAX_CHARACTERS
    for match in _CHUNKS.finditer(text):
        folded = _fold(match[0])[:remaining]
        yield *match.span(), folded
        remaining -= len(folded)
        if not remaining:
            return


def _units(text: str) -> Sequence[str]:
    """Return the shortest pieces whose folded forms, joined, are the folded text.

    A unit is a single character unless it changes together with its neighbors: `e` with a combining accent is a unit.
    """
    if not any(map(_may_compose, text)):
        return text
    starts = [index for index, character in enumerate(text) if index == 0 or not _may_compose(character)]
    units: list[str] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        segment = text[start:end]
        is_separable = len(segment) == 1 or "".join(map(_fold, segment)) == _fold(segment)
        units += segment if is_separable else [segment]
    return units


def _space_out(text: str) -> str:
    """Return the folded text with spaces that separate words."""
    return _fold(text).translate(_TABLE)


_spaced_character = lru_cache(maxsize=4096)(_space_out)  # Units of several characters are too many to cache.


@lru_cache(maxsize=4096)
def _may_compose(character: str) -> bool:
    """Whether normalization may change the character together with the preceding one."""
    first = unicodedata.normalize("NFKC", character)[0]
    return unicodedata.category(first)[0] == "M" or first in _COMPOSING


def _fold(text: str) -> str:
    """Return the case-folded NFKC form."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _texts(value: Any) -> Iterator[str]:
    """Yield the readable strings in the value, at any depth."""
    if isinstance(value, str):
        if not _is_opaque(value):
            yield _unescape_json(value[:MAX_CHARACTERS])
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name not in _SKIPPED:
                yield from _texts(member)


def _unescape_json(text: str) -> str:
    """Return the text with JSON's escapes replaced if it looks like JSON, as arguments and many outputs do."""
    if "\\" not in text or not text.lstrip().startswith(("{", "[")):
        return text
    return _ESCAPES.sub(_unescape_match, text)


def _unescape_match(match: re.Match[str]) -> str:
    """Return the characters that the escapes stand for. A lone surrogate can't be stored, and becomes U+FFFD."""
    return LONE_SURROGATE.sub(REPLACEMENT, json.loads(f'"{match[0]}"'))


def _is_opaque(text: str) -> bool:
    """Whether the text is encoded data, such as a data URL or Base64."""
    if text.startswith("data:"):
        return True
    start = text[:MAX_OPAQUE_CHARACTERS]
    return len(text) > MAX_OPAQUE_CHARACTERS and start.isascii() and not _SPACES.search(start)
