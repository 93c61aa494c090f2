import pytest

from conversations.schema.items import ITEM_TYPES
from conversations.schema.text import MAX_CHARACTERS, MAX_WORD_LENGTH, READ, place_of, text_of, words
from tests.schema.golden import STORED

SILENT = {
    *("additional_tools", "compaction", "compaction_trigger", "computer_call_output", "configuration_update"),
    *("item_reference", "tool_search_output"),
}


def test_each_type_is_read_or_known_to_say_nothing():
    assert READ.keys() == ITEM_TYPES
    assert {item_type for item_type, members in READ.items() if not members} == SILENT


@pytest.mark.parametrize("item_type", sorted(ITEM_TYPES - SILENT))
def test_items_of_each_type_that_says_anything_have_words(item_type):
    items = [case["returned"] for case in STORED.values() if case["returned"]["type"] == item_type]
    assert any(words(text_of(item_type, item)) for item in items)


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
        ({"type": "function_call_output", "output": '{"half":"\\ud83d"}'}, '{"half":"?"}'),
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
        ({"type": "message", "content": None}, ""),
    ],
)
def test_what_there_is_to_read_is_taken_and_nothing_else(item, text):
    assert text_of(item["type"], item) == text


@pytest.mark.parametrize("data", [None, [], "text", 7])
def test_data_that_is_no_object_says_nothing(data):
    assert text_of("message", data) == ""


@pytest.mark.parametrize("blob", ["A" * 1_001, "data:text/plain,hello"])
def test_what_nobody_can_read_is_left_out(blob):
    assert text_of("function_call_output", {"output": blob}) == ""


def test_long_texts_without_spaces_are_read_where_they_are_no_blob():
    assert len(text_of("function_call_output", {"output": "天" * 2_000})) == 2_000
    assert text_of("function_call_output", {"output": "a " * 1_000})


def test_only_so_many_characters_of_an_item_are_read():
    item = {"output": "word " * 200_000}
    assert len(text_of("function_call_output", item)) == MAX_CHARACTERS
    many = {"content": [{"text": "x y"}] * 100_000}
    assert len(text_of("message", many)) == MAX_CHARACTERS
    assert sum(map(len, words("\ufdfa" * MAX_CHARACTERS))) <= MAX_CHARACTERS  # each is 18 characters in full


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
def test_words_are_what_is_compared(text, expected):
    assert " ".join(words(text)) == expected


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
    ],
)
def test_a_phrase_is_found_where_it_stands(phrase, text, found):
    place = place_of(words(phrase), text) if words(phrase) else None
    assert (place and text[slice(*place)]) == found
