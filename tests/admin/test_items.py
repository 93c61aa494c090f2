import json
from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import escape

from conversations.admin.items import LAYOUTS, TYPE_NAMES, ShownItem
from conversations.models import Conversation, Item
from conversations.schema.items import ITEM_TYPES, validate_items

GOLDEN = Path(__file__).parent.parent / "golden" / "items"
NEVER_STORED = {"compaction_trigger", "item_reference"}
STORED_TYPES = sorted(ITEM_TYPES - NEVER_STORED)


def shown(data, item_type: str | None = None) -> str:
    item_type = data["type"] if item_type is None else item_type
    row = Item(position=1, item_id="x_1", type=item_type, data=data, created_at=timezone.now())
    item = ShownItem(row)
    return render_to_string(item.template, {"item": item})


def texts(value) -> list[str]:
    """Every text in the value, but for names and types."""
    if isinstance(value, dict):
        return [text for name, member in value.items() if name not in ("type", "role") for text in texts(member)]
    if isinstance(value, list):
        return [text for member in value for text in texts(member)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("item_type", STORED_TYPES)
def test_every_item_type_is_shown_with_a_name_and_all_that_it_says(alice, item_type):
    for example in json.loads((GOLDEN / f"{item_type}.json").read_text())["accepted"]:
        conversation = Conversation.create_with_items(owner=alice, items=validate_items([example["sent"]]))
        row = conversation.items.get()
        html = render_to_string(ShownItem.template, {"item": ShownItem(row)})
        assert ShownItem(row).title != item_type
        for text in texts(row.data):
            forms = [text, json.dumps(text), json.dumps(text, ensure_ascii=False)[1:-1]]
            if text[:1] in ("{", "["):
                forms.append(json.dumps(json.loads(text), ensure_ascii=False, indent=2))
            assert any(escape(form[:60]) in html for form in forms), text


def test_every_stored_type_has_a_name():
    assert set(STORED_TYPES) == set(TYPE_NAMES)


def test_an_unknown_type_is_shown_as_json_under_its_own_name():
    html = shown({"id": "x_1", "type": "hologram", "beam": {"<b>": ["ü"]}})
    assert ">hologram</h3>" in html
    assert "<h4>JSON</h4>" in html
    assert escape('{\n    "<b>": [\n      "ü"\n    ]') in html


@pytest.mark.parametrize("item_type", [*LAYOUTS, "hologram", "../../../base", ""])
@pytest.mark.parametrize("value", [None, 7, True, "text", [], [None], {}, {"type": 1}, [{"type": ["x"]}], [[[]]]])
def test_malformed_data_is_shown_whatever_it_is(item_type, value):
    shown(value, item_type)
    shown({"id": 1, "type": item_type, "role": value, "status": value, "name": value}, item_type)
    layout = LAYOUTS.get(item_type, {})
    html = shown({"type": item_type, **dict.fromkeys(layout, value), "more": "told as well"}, item_type)
    assert "told as well" in html


def test_a_message_without_content_is_shown_as_json():
    assert escape('"role": "user"') in shown({"type": "message", "role": "user"})


def test_text_is_escaped():
    html = shown({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<script>x</script>"}]})
    assert "<script>" not in html
    assert escape("<script>x</script>") in html


def test_an_image_is_named_and_not_fetched():
    parts = [
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 5000},
    ]
    html = shown({"type": "message", "role": "user", "content": parts})
    assert "<b>image:</b> <bdi>https://example.com/a.png</bdi>" in html
    assert "<b>image:</b> <bdi>file-1</bdi>" in html
    assert "<bdi>data:image/png;base64,AAAAAAAAAAAA" in html
    assert "(5022 characters)" in html
    assert "<img" not in html
    assert "href" not in html
    assert "A" * 100 not in html


def test_files_refusals_and_citations_are_shown():
    annotations = [{"type": "url_citation", "url": "https://e.org", "title": "E", "start_index": 0, "end_index": 1}]
    content = [
        {"type": "output_text", "text": "see E", "annotations": annotations, "logprobs": []},
        {"type": "refusal", "refusal": "I cannot help with that."},
        {"type": "input_file", "filename": "a.pdf", "file_id": "file-2", "file_data": "B" * 2000},
    ]
    html = shown({"type": "message", "role": "assistant", "content": content})
    assert "<b>url_citation:</b> <bdi>url: https://e.org · title: E · start_index: 0 · end_index: 1</bdi>" in html
    assert "<h4>Refusal</h4>" in html
    assert "<bdi>a.pdf</bdi>" in html
    assert "<bdi>file-2</bdi>" in html
    assert "(2000 characters)" in html


@pytest.mark.parametrize(
    ("arguments", "laid_out"),
    [
        ('{"city":"Zürich","n":1}', '{\n  "city": "Zürich",\n  "n": 1\n}'),
        ('{"cut', '{"cut'),
        ("plain", "plain"),
        ('{"a":"\\ud800\\u0000"}', '{\n  "a": "\\ud800\\u0000"\n}'),
        ('{"n": 1' + "0" * 5000 + "}", '{"n": 10000'),
        ("[" * 50_000, "[[[["),
    ],
)
def test_arguments_are_laid_out_when_they_are_json_and_shown_as_they_are_otherwise(arguments, laid_out):
    html = shown({"type": "function_call", "name": "weather", "call_id": "c", "arguments": arguments})
    html.encode()
    assert "Function call <code>weather</code>" in html
    assert escape(laid_out) in html


def test_a_very_long_text_is_cut_and_says_so():
    text = "word " * 40_000
    html = shown({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
    assert "50000 more characters are not shown." in html
    assert len(html) < 160_000


def test_shell_output_patches_and_logs_are_shown_as_text():
    outcome = {"type": "exit", "exit_code": 1}
    html = shown({"type": "shell_call_output", "output": [{"stdout": "a\nb", "stderr": "oops", "outcome": outcome}]})
    assert "<code>a\nb</code>" in html
    assert "<code>oops</code>" in html
    assert escape('"exit_code": 1') in html
    html = shown({"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a.py", "diff": "-a\n+b"}})
    assert "<b>update_file:</b> <bdi>a.py</bdi>" in html
    assert "<code>-a\n+b</code>" in html
    html = shown({"type": "code_interpreter_call", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]})
    assert "<code>1+1</code>" in html
    assert "<code>2</code>" in html
