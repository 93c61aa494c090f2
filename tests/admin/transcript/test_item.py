import json
import re
from html import unescape
from pathlib import Path

import pytest
from django.template.loader import get_template, render_to_string
from django.utils import timezone
from django.utils.html import escape

from conversations.admin.transcript.blocks import flatten
from conversations.admin.transcript.item import TranscriptItem
from conversations.admin.transcript.item_types import ITEM_DISPLAYS
from conversations.admin.transcript.page_rendering import format_blocks
from conversations.models import Conversation, Item
from conversations.schema.items import ITEM_TYPES, validate_items

GOLDEN = Path(__file__).parents[2] / "golden" / "items"
NEVER_STORED = {"compaction_trigger", "item_reference"}
STORED_TYPES = sorted(ITEM_TYPES.keys() - NEVER_STORED)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def render_item(data, item_type: str | None = None) -> str:
    item_type = data["type"] if item_type is None else item_type
    row = Item(position=1, item_id="x_1", type=item_type, data=data, created_at=timezone.now())
    item = TranscriptItem(row)
    format_blocks(flatten(item.blocks))
    return render_to_string(item.template_names, {"item": item})


def plain_text(html: str) -> str:
    """Return the text of the HTML, without the numbers of entries of objects and arrays."""
    return " ".join(unescape(re.sub("<[^>]*>", "", re.sub("<span> .*?</span>", "", html))).split())


def render_message(*content, role: str = "user") -> str:
    return render_item({"type": "message", "role": role, "content": list(content)})


def texts(value) -> list[str]:
    """Every text in the value, but for names, types and the insides of files."""
    skipped = ("type", "role", "file_data")
    if isinstance(value, dict):
        return [text for name, member in value.items() if name not in skipped for text in texts(member)]
    if isinstance(value, list):
        return [text for member in value for text in texts(member)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("item_type", STORED_TYPES)
def test_every_item_type_is_rendered_with_its_name_and_all_its_text(alice, item_type):
    for example in json.loads((GOLDEN / f"{item_type}.json").read_text())["accepted"]:
        conversation = Conversation.objects.create_with_items(owner=alice, items=validate_items([example["sent"]]))
        row = conversation.items.get()
        item = TranscriptItem(row)
        item.url = "/item/"  # for the menu
        html = render_to_string(item.template_names, {"item": item})
        assert item.template_names[0] == f"conversations/items/{item_type}.html"
        assert item.title != item_type
        for text in texts(row.data):
            plain = text.strip("*\n") if text not in ("completed", "auto") else ""
            forms = [*plain.splitlines(), json.dumps(text), json.dumps(text, ensure_ascii=False)[1:-1]]
            if text[:1] in ("{", "["):
                forms.append(json.dumps(json.loads(text), ensure_ascii=False, indent=2))
            assert not plain or any(escape(form[:60]) in html for form in forms), text


def test_every_item_type_has_a_name_and_a_template():
    assert ITEM_DISPLAYS.keys() == ITEM_TYPES.keys()
    for display in ITEM_DISPLAYS.values():
        assert get_template(f"conversations/items/{display.template}.html")


def test_unknown_item_type_is_rendered_as_json_under_its_type_name():
    html = render_item({"id": "x_1", "type": "hologram", "beam": {"<b>": ["ü"]}})
    assert ">hologram</h3>" in html
    assert ">JSON</p>" in html
    assert '"beam": { "<b>": ["ü"] }' in plain_text(html)


@pytest.mark.parametrize("item_type", [*ITEM_DISPLAYS, "hologram", "../../../base", ""])
@pytest.mark.parametrize("value", [None, 7, True, "text", [], [None], {}, {"type": 1}, [{"type": ["x"]}], [[[]]]])
def test_malformed_item_data_is_rendered_without_an_error(item_type, value):
    render_item(value, item_type)
    render_item(
        {"id": 1, "type": item_type, "role": value, "status": value, "name": value, "call_id": value}, item_type
    )
    display = ITEM_DISPLAYS.get(item_type)
    members = display.renderers if display else {}
    html = render_item({"type": item_type, **dict.fromkeys(members, value), "more": "told as well"}, item_type)
    assert "told as well" in html


def test_empty_item_is_rendered_with_a_note():
    assert "This item is empty." in render_item({"type": "message", "role": "user"})
    assert "This item is empty." in render_item({"type": "additional_tools", "tools": []})


def test_instructions_and_reasoning_are_collapsed():
    for role, is_collapsed in {"system": True, "developer": True, "user": False, "assistant": False}.items():
        assert (
            "conversations-collapsible" in render_message({"type": "input_text", "text": "hi"}, role=role)
        ) is is_collapsed
    html = render_item({"type": "reasoning", "summary": [{"type": "summary_text", "text": "**Thinking**"}]})
    assert html.index("conversations-collapsible") < html.index("<strong>Thinking</strong>")


def test_text_is_escaped():
    html = render_message({"type": "input_text", "text": "<script>x</script>"})
    assert "<script>" not in html
    assert escape("<script>x</script>") in html


def test_remote_image_is_linked_by_its_host_and_not_fetched():
    html = render_message({"type": "input_image", "image_url": "https://user@images.example/a.png", "detail": "auto"})
    assert "<summary>Image at images.example</summary>" in html
    assert 'href="https://user@images.example/a.png" target="_blank" rel="noopener noreferrer nofollow"' in html
    assert "<img" not in html


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html,<script>",
        "data:image/png;base64,PHN2Zz4=",
        f"data:image/jpeg;base64,{PIXEL}",
        "//images.example/a.png",
        "https:\\\\images.example",
        "https://evil.example\\@good.example/",
        "https://[bad",
        "ftp://images.example/",
        "https://",
        " https://images.example/",
        "file-1",
        "",
    ],
)
def test_unsafe_image_urls_are_rendered_as_text(url):
    html = render_message({"type": "input_image", "image_url": url})
    assert "<img" not in html
    assert 'target="_blank"' not in html
    assert escape(url) in html


def test_inline_image_is_collapsed_under_its_type_and_size():
    html = render_message({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"})
    assert "<summary>Image (PNG, 70\xa0bytes)</summary>" in html
    assert f'<img src="data:image/png;base64,{PIXEL}" alt="Image of item 1">' in html
    assert "<details" in html.partition("<img")[0]
    generated = render_item({"type": "image_generation_call", "status": "completed", "result": PIXEL})
    assert f'<img src="data:image/png;base64,{PIXEL}"' in generated
    assert "<img" not in render_message({"type": "input_image", "image_url": "data:image/png;base64," + PIXEL * 60_000})


def test_files_refusals_and_citations_are_rendered():
    annotations = [
        {"type": "url_citation", "url": "https://e.org", "title": "E", "start_index": 0, "end_index": 1},
        {"type": "file_citation", "file_id": "file-3", "filename": "b.pdf", "index": 1},
    ]
    html = render_message(
        {"type": "output_text", "text": "see E", "annotations": annotations, "logprobs": []},
        {"type": "refusal", "refusal": "I cannot help with that."},
        {"type": "input_file", "filename": "a\u202efdp.exe", "file_id": "file-2", "file_data": "B" * 2000},
    )
    assert '<bdi>E</bdi> · <a href="https://e.org" target="_blank" rel="noopener noreferrer nofollow">' in html
    assert "File citation:</b> <bdi>File id: file-3 · File name: b.pdf · Position: 1</bdi>" in html
    assert ">Refusal</p>" in html
    assert "<bdi>a\\u202efdp.exe</bdi>" in html
    assert "<bdi>file-2</bdi>" in html
    assert "<b>Size:</b> <bdi>1.5\xa0KB</bdi>" in html


@pytest.mark.parametrize(
    ("arguments", "laid_out"),
    [
        ('{"city":"Zürich","n":1}', '{"city": "Zürich", "n": 1}'),
        ('{"cut', '{"cut'),
        ("plain", "plain"),
        ('{"a":"\\ud800\\u0000"}', '{"a": "\\ud800\\u0000"}'),
        ('{"n": 1' + "0" * 5000 + "}", '{"n": 10000'),
        ("[" * 50_000, "[[[["),
        ("[" * 101 + "]" * 101, "[" * 101),
    ],
)
def test_arguments_are_pretty_printed_only_if_they_are_json(arguments, laid_out):
    html = render_item({"type": "function_call", "name": "weather", "call_id": "c", "arguments": arguments})
    html.encode()
    assert "Function call <code>weather</code>" in html
    assert laid_out in plain_text(html)


def test_indentation_of_deep_and_wide_json_is_limited():
    value = [0] * 100_000
    for _ in range(90):
        value = [value]
    assert len(render_item({"type": "function_call", "arguments": json.dumps(value)})) < 200_000
    assert len(render_item({"type": "hologram", "value": value})) < 200_000


def test_very_long_text_is_truncated_with_a_download_link():
    html = render_message({"type": "input_text", "text": "word " * 40_000})
    assert "Only the first 150,000 characters are shown." in html
    assert '<a href="../items/x_1/">Download the whole item</a>' in html
    assert len(html) < 160_000


def test_only_long_texts_have_a_button_to_show_all():
    for text in ("word " * 1_000, "a\n" * 60):
        html = render_message({"type": "input_text", "text": text})
        assert '<div class="conversations-long"><div class="conversations-beginning">' in html
        assert "Show all" in html
        assert text[:-1] in html
    assert "Show all (4.9\xa0KB)" in render_message({"type": "input_text", "text": "word " * 1_000})
    assert "conversations-long" not in render_message({"type": "input_text", "text": "word " * 100})


def test_shell_output_is_rendered_with_its_exit_code():
    outcome = {"type": "exit", "exit_code": 1}
    stdout = "\x1b[31mred\x1b[0m\r\nplain\x07\x1b]0;title\x07"
    html = render_item(
        {"type": "shell_call_output", "output": [{"stdout": stdout, "stderr": "oops", "outcome": outcome}]}
    )
    assert "<samp>red\nplain\N{SYMBOL FOR BELL}</samp>" in html
    assert "<samp>oops</samp>" in html
    assert "<b>Exit code:</b> <bdi>1</bdi>" in html
    html = render_item(
        {"type": "shell_call_output", "output": [{"stdout": "", "stderr": "", "outcome": {"type": "timeout"}}]}
    )
    assert "<b>Outcome:</b> <bdi>timeout</bdi>" in html


def test_commands_and_code_are_rendered_verbatim():
    assert "<samp>$ ls -l</samp>" in render_item({"type": "shell_call", "action": {"commands": ["ls -l"]}})
    command = {"type": "exec", "command": ["bash", "-lc", "echo 'a b'"], "env": {"A": "1"}}
    html = render_item({"type": "local_shell_call", "action": command})
    assert escape("""$ bash -lc 'echo '"'"'a b'"'"''""") in html
    assert escape('{"A": "1"}') in html
    html = render_item({"type": "code_interpreter_call", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]})
    assert ">1+1</code>" in re.sub("</?span[^>]*>", "", html)
    assert "<samp>2</samp>" in html


def test_patch_is_rendered_as_a_diff():
    html = render_item(
        {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a.py", "diff": "-a\n+<b>"}}
    )
    assert '<b title="update_file">Update file:</b> <bdi>a.py</bdi>' in html
    assert "<del>-a</del>" in html
    assert "<ins>+&lt;b&gt;</ins>" in html


def test_searches_show_queries_and_sources():
    action = {
        "type": "search",
        "query": "a",
        "queries": ["a", "b"],
        "sources": [{"type": "url", "url": "https://e.org"}],
    }
    html = render_item({"type": "web_search_call", "action": action})
    assert ">a\nb</div>" in html
    assert '<a href="https://e.org"' in html
    results = [{"filename": "a.pdf", "text": "found", "score": 0.5}]
    html = render_item({"type": "file_search_call", "queries": ["x"], "results": results})
    assert "<summary>Result: <bdi>a.pdf</bdi></summary>" in html
    assert "found" in html
    assert ">Score:</b> <bdi>0.5</bdi>" in html


def test_tools_are_listed_with_their_descriptions():
    tools = [{"name": "roll", "description": "Rolls dice", "input_schema": {"type": "object"}}]
    html = render_item({"type": "mcp_list_tools", "server_label": "dice", "tools": tools})
    assert "<summary>Tool: <bdi>roll</bdi></summary>" in html
    assert "Rolls dice" in html
    assert ">Input schema:</b>" in html


def test_computer_actions_are_rendered_as_steps():
    actions = [{"type": "click", "x": 1, "y": 2, "keys": None}, {"type": "type", "text": "a\nb"}]
    html = render_item({"type": "computer_call", "actions": actions})
    assert "<li><code>click x=1 y=2</code></li>" in html
    assert escape('type text="a\\nb"') in html


def test_approval_response_shows_the_decision():
    assert "<bdi>approved</bdi>" in render_item({"type": "mcp_approval_response", "approve": True})
    assert "<bdi>refused</bdi>" in render_item({"type": "mcp_approval_response", "approve": False})


@pytest.mark.parametrize("item_type", ["message", "function_call", "function_call_output", "hologram"])
def test_item_template_can_be_overridden(settings, tmp_path, item_type):
    replaced = tmp_path / "conversations" / "items" / f"{'unknown' if item_type == 'hologram' else item_type}.html"
    replaced.parent.mkdir(parents=True)
    replaced.write_text("own {{ item.type }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert render_item({"type": item_type, "role": "user", "content": "x"}) == f"own {item_type}"
