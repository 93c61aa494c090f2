import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversations.schema import searchable_text as text_module
from conversations.schema.items import ITEM_TYPES
from conversations.schema.searchable_text import (
    MAX_CHARACTERS,
    MAX_WORD_LENGTH,
    extract_text,
    find_phrase,
    split_words,
)
from tests.schema.golden import STORED


@pytest.mark.parametrize("item_type", ITEM_TYPES.values(), ids=ITEM_TYPES)
def test_items_have_words_if_their_type_has_searchable_members(item_type):
    items = [case["returned"] for case in STORED.values() if case["returned"]["type"] == item_type.name]
    assert any(split_words(extract_text(item_type.name, item)) for item in items) is bool(item_type.searchable)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}, "Hi"),
        ({"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}, "No."),
        (
            {
                "type": "message",
                "content": [
                    {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "auto", "file_id": "f"},
                    {"type": "input_file", "filename": "cv.pdf", "file_data": "data:application/pdf;base64,AAAA"},
                    {"type": "input_text", "text": "my CV"},
                ],
            },
            "cv.pdf\nmy CV",
        ),
        (
            {"type": "function_call", "name": "f", "call_id": "call_1", "arguments": '{"a":"b c","n":17}'},
            'f\n{"a":"b c","n":17}',
        ),
        (
            {"type": "custom_tool_call", "input": '{"city":"\\u6771\\u4eac","s":"a\\nb","e":"\\ud83d\\ude4f"}'},
            '{"city":"東京","s":"a\nb","e":"🙏"}',
        ),
        ({"type": "function_call_output", "output": "C:\\new"}, "C:\\new"),
        ({"type": "function_call_output", "output": '{"half":"\\ud83d"}'}, '{"half":"\ufffd"}'),
        ({"type": "function_call_output", "output": [{"type": "input_text", "text": "ok"}]}, "ok"),
        (
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "gAAAA"},
            "Hm",
        ),
        ({"type": "shell_call", "action": {"commands": ["ls -l", "pwd"], "timeout_ms": 5}}, "ls -l\npwd"),
        (
            {
                "type": "shell_call_output",
                "output": [{"outcome": {"type": "exit", "exit_code": 1}, "stdout": "a", "stderr": "b"}],
            },
            "a\nb",
        ),
        (
            {
                "type": "code_interpreter_call",
                "code": "1+1",
                "outputs": [{"type": "logs", "logs": "2"}, {"type": "image", "url": "data:image/png;base64,AAAA"}],
            },
            "1+1\n2",
        ),
        ({"type": "image_generation_call", "result": "iVBOR", "revised_prompt": "a cat"}, "a cat"),
        ({"type": "mcp_list_tools", "server_label": "shop", "tools": [{"name": "t", "description": "refund"}]}, "shop"),
        (
            {"type": "hologram", "id": "item_1", "caption": "a ghost", "parts": [{"text": "boo"}], "role": "user"},
            "a ghost\nboo",
        ),
        ({"type": "function_call_output", "output": "W\0s"}, "W\ufffds"),
        ({"type": "function_call_output", "output": '["\\u0000"]'}, '["\ufffd"]'),
        ({"type": "message", "content": None}, ""),
    ],
)
def test_item_text_contains_only_readable_content(item, text):
    assert extract_text(item["type"], item) == text


@pytest.mark.parametrize("data", [None, [], "text", 7])
def test_data_that_is_not_an_object_has_no_text(data):
    assert extract_text("message", data) == ""


@pytest.mark.parametrize("blob", ["A" * 1_001, "data:text/plain,hello"])
def test_base64_and_data_urls_are_left_out_of_the_text(blob):
    assert extract_text("function_call_output", {"output": blob}) == ""


def test_long_text_without_spaces_is_indexed_unless_it_is_base64():
    assert len(extract_text("function_call_output", {"output": "天" * 2_000})) == 2_000
    assert extract_text("function_call_output", {"output": "a " * 1_000})


def test_item_text_is_truncated_at_the_maximum_length():
    item = {"output": "word " * 200_000}
    assert len(extract_text("function_call_output", item)) == MAX_CHARACTERS
    many = {"content": [{"text": "x y"}] * 100_000}
    assert len(extract_text("message", many)) == MAX_CHARACTERS
    assert sum(map(len, split_words("\ufdfa" * MAX_CHARACTERS))) <= MAX_CHARACTERS  # each is 18 characters in full


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Refund-Policy, v2!", "refund policy v2"),
        ("find_shipment(order.id)", "find shipment order id"),
        ("O'Brien", "o brien"),
        ("Größe GRÖSSE", "grösse grösse"),
        ("café cafe\u0301 cafe", "café café cafe"),
        ("\uff21\uff22\uff13 \ufb01n", "ab3 fin"),
        ("东京の天気", "东 京 の 天 気"),
        ("환불을 받고", "환 불 을 받 고"),
        ("ราคา", "ร า ค า"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("שלום مرحبا", "שלום مرحبا"),
        ("thanks🙏🏽!", "thanks 🙏"),
        ("❤\ufe0f ❤", "❤ ❤"),
        ("soft\u00adhyphen", "softhyphen"),
        ("½ 10⁵", "1 2 105"),
        ("C++ $5 #1", "c 5 1"),
        ("lone \ud800 surrogate\0", "lone surrogate"),
        ("... -- !?", ""),
        ("x" * 100, "x" * MAX_WORD_LENGTH),
    ],
)
def test_text_is_split_into_normalized_words(text, expected):
    assert " ".join(split_words(text)) == expected


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("refund policy", "Our Refund-Policy is", "Refund-Policy"),
        ("refund policy", "refunds policy; refund\n\n policy", "refund\n\n policy"),
        ("fund", "refund, a fund.", "fund"),
        ("fund", "funds", None),
        ("fund", "refund", None),
        ("grösse x", "Straße, Größe X", "Größe X"),
        ("straße", "in der STRASSE", "STRASSE"),
        ("fin", "the \ufb01n", "\ufb01n"),
        ("天气", "明天东京的天气。", "天气"),
        ("🙏", "Thanks🙏🏽", "🙏"),
        ("a b", "a: b", "a: b"),
        (".*", "anything", None),
        ("😀😀", "hey 😀😀😀", "😀😀"),
        ("a a b", "a a a b", "a a b"),
        ("❤", "I ❤\ufe0f it", "❤\ufe0f"),
        ("softhyphen", "a soft\u00adhyphen.", "soft\u00adhyphen"),
        ("café", "a cafe\u0301.", "cafe\u0301"),
        ("ß", "cafe\u0301 ß", "ß"),
        ("한국", "(\u1112\u1161\u11ab\u1100\u116e\u11a8)", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("ガ", "x\uff76\uff9ex", "\uff76\uff9e"),
        ("ร", "รัก", "ร"),
        ("2cup", "½cup", "½cup"),
        ("2 cups", "½ cups", "½ cups"),
        ("x" * 64, "x" * 65, None),
        ("", "anything", None),
        ("", "", None),
    ],
)
def test_a_phrase_is_found_at_its_place(phrase, text, found):
    place = find_phrase(split_words(phrase), text)
    assert (place and text[slice(*place)]) == found


CHARACTERS = st.one_of(
    st.characters(),
    st.characters(categories=["M"]),
    # Ordinary characters, ignored ones, and words of a single character.
    st.sampled_from("ab -\n\u00ad\ufe0f\u200d😀🏽❤天气、한か"),
    # Characters that expand, compose or are reordered when they are folded.
    st.sampled_from("ßﬁ½ﷺ\uff12ŉİΐᾳΣςe\u0301\u0323\u0345=\u0338\u1112\u1161\u11abｶﾞ\u3099รัำक\u093c्"),
)


@st.composite
def texts_and_phrases(draw):
    text = draw(st.text(CHARACTERS, max_size=30).filter(split_words))
    found = split_words(text)
    start = draw(st.integers(0, len(found) - 1))
    end = draw(st.integers(start + 1, len(found)))
    return text, found[start:end]


def has_run(found, phrase):
    return any(found[start : start + len(phrase)] == phrase for start in range(len(found)))


@given(texts_and_phrases())
@example(("=\u0338\u00ad\u0338", ["\u0338"]))
def test_every_phrase_of_a_text_is_found(text_and_phrase):
    text, phrase = text_and_phrase
    begin, end = find_phrase(phrase, text)
    found = split_words(text[begin:end])
    assert has_run(found, phrase)
    # A character, with the marks that change together with it, may hold several words. It is never split.
    assert found == phrase or any(len(split_words(unit)) > 1 for unit in text_module._units(text[begin:end]))


@given(st.text(CHARACTERS, max_size=30), st.text(CHARACTERS, max_size=3))
def test_a_phrase_that_is_not_in_the_text_is_not_found(text, phrase):
    is_found = find_phrase(split_words(phrase), text) is not None
    assert is_found == (bool(split_words(phrase)) and has_run(split_words(text), split_words(phrase)))


@given(st.text(CHARACTERS, max_size=30))
def test_the_units_of_a_text_have_its_words(text):
    assert "".join(text_module._units(text)) == text
    spaced = "".join(map(text_module._space_out, text_module._units(text)))
    assert spaced.split() == split_words(text)


@pytest.mark.slow
def test_each_character_is_found_in_its_decomposed_form():
    for character in map(chr, range(sys.maxunicode + 1)):
        decomposed = unicodedata.normalize("NFD", character)
        is_composed = decomposed != character == unicodedata.normalize("NFC", decomposed)
        is_mark = unicodedata.category(character)[0] == "M"  # A mark composes with the character before it.
        if is_composed and not is_mark and split_words(character):
            text = f"- {decomposed} -"
            assert find_phrase(split_words(character), text) == (2, 2 + len(decomposed)), ascii(character)


def test_a_text_is_split_only_before_characters_that_begin_a_word_or_separate_words():
    separate = re.compile(f"[{text_module._SEPARATE}]")
    for character in filter(separate.match, map(chr, range(sys.maxunicode + 1))):
        assert split_words(f"e{character}") == ["e", *split_words(character)], ascii(character)


@pytest.mark.parametrize("separator", [" ", "天", "-", " é ", "_"])
def test_a_phrase_is_found_anywhere_in_a_long_text(separator):
    text = separator.join(map(str, range(5_000)))
    for start in range(0, 4_900, 61):
        phrase = separator.join(map(str, range(start, start + 100)))
        begin, end = find_phrase(split_words(phrase), text)
        assert text[begin:end] == phrase


@pytest.mark.parametrize("number", [28, 45, 10_000])
def test_a_phrase_of_symbols_is_found_in_linear_time(number):
    # With a regular expression that backtracks, none of the larger ones would ever end.
    line = "─" * number
    assert find_phrase(split_words(line), f"| {line} |") == (2, 2 + number)
    assert find_phrase(split_words(line), f"{line[1:]} x {line[1:]}") is None
    assert find_phrase(split_words(f"{line}x"), f"{line * 3} y") is None


def test_words_of_many_consecutive_marks_are_found_in_linear_time():
    marks = "e" + "\u0301\u0323" * 100_000
    text = extract_text("function_call_output", {"output": f"a {marks}"})
    assert split_words(text)[0] == "a"
    assert find_phrase(["a"], text) == (0, 1)


def test_a_repetitive_phrase_is_found_in_a_repetitive_text():
    assert find_phrase(["😀"] * 5_000, "😀" * 10_000) == (0, 5_000)
    assert find_phrase([*["😀"] * 5_000, "🙏"], "😀" * 10_000 + "🙏") == (5_000, 10_001)
    assert find_phrase(["a"] * 5_000 + ["b"], "a " * 40_000) is None


def test_only_the_words_that_are_searched_are_found():
    text = "ﬁ" + " " * (MAX_CHARACTERS - 6) + "words"
    assert split_words(text) == ["fi", "word"]
    assert find_phrase(["word"], text) == (MAX_CHARACTERS - 5, MAX_CHARACTERS - 1)
    assert find_phrase(["words"], text) is None


def test_a_phrase_has_no_place_if_its_characters_cannot_be_told_apart(monkeypatch):
    monkeypatch.setattr(text_module, "_may_compose", lambda character: False)
    assert find_phrase(["é"], "e\u0301") is None
