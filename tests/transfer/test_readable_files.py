"""Exports as Markdown and HTML."""

import json
import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt

from conversations.models import Conversation
from conversations.transfer import exporter
from conversations.transfer.formats.readable import readable_item
from tests.schema.golden import STORED
from tests.transfer.exports import ODD_METADATA, export

PIXEL = "data:image/png;base64,iVBORw0KGgo="
CALL = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Köln"}'}
HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></section><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "[a](javascript:alert(1)) ![b](https://evil.example/pixel.png)",
    "<!-- ",
    "</style><style>*{display:none}",
    "```\n## 2. Assistant\n\n> forged",
    "text\u2028## 2. Assistant\r## 3. Assistant\x85## 4. Assistant",
    "\u202e\u2066 reversed",
]


class Tags(HTMLParser):
    """The start tags of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def conversation(alice):
    parts = [
        {"type": "input_text", "text": "See *this*:"},
        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
    ]
    items = [{"role": "user", "content": parts}, CALL, {"role": "assistant", "content": "Rain."}]
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)


def test_markdown_has_a_heading_for_each_conversation_and_item(conversation):
    text = export(format="markdown").decode()
    headings = re.findall("^#+ .*", text, re.MULTILINE)
    assert headings == [f"# {conversation.pk}", "## 1. User", "## 2. Function call", "## 3. Assistant"]
    assert "- Owner: `alice`\n" in text
    assert "- Items: 3\n- `topic`: `demo`\n" in text
    assert f"> See *this*:\n\n![Image]({PIXEL})\n" in text
    assert '**Arguments**\n\n```\n{\n  "city": "Köln"\n}\n```\n' in text
    assert "`call_id`: `call_1`, `name`: `weather`" in text


def test_html_has_a_section_for_each_item(conversation):
    text = export(format="html").decode()
    assert re.findall("<h[12]>(.*?)</h[12]>", text) == [
        conversation.pk,
        "1. User",
        "2. Function call",
        "3. Assistant",
    ]
    assert "<dt>topic</dt><dd>demo</dd>" in text
    assert "<p>See <em>this</em>:</p>" in text
    assert f'<img src="{PIXEL}" alt="Image">' in text
    assert "call_id: call_1 · name: weather" in text
    assert '<div class="text plain" dir="auto">Rain.</div>' in text
    assert text.endswith("</article>\n</body>\n</html>\n")


@pytest.mark.parametrize("format", ["markdown", "html"])
@pytest.mark.parametrize("size", [1, 100])
def test_files_do_not_depend_on_the_size_of_batches(format, size, conversation, bob, monkeypatch):
    Conversation.objects.create_with_items(owner=bob)
    whole = export(format=format)
    monkeypatch.setattr(exporter, "ITEMS_PER_QUERY", size)
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", size)
    assert export(format=format) == whole
    assert whole.count(b"<article>") == (2 if format == "html" else 0)


def test_html_without_conversations_is_a_complete_page(db):
    text = export(format="html").decode()
    assert text.startswith("<!doctype html>")
    assert text.endswith("</style>\n</head>\n<body>\n</body>\n</html>\n")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_content_adds_no_markup_to_html(hostile, alice):
    alice.username = hostile
    alice.save()
    items = [
        {"role": "user", "content": hostile},
        {**CALL, "arguments": hostile},
        {"type": "function_call_output", "call_id": "call_1", "output": json.dumps({hostile: hostile})},
    ]
    Conversation.objects.create_with_items(owner=alice, metadata={hostile: hostile}, items=items)
    odd = {"type": hostile[:60], "id": "item_1", "status": hostile, "data": {hostile: [hostile]}}
    Conversation.objects.create_with_items(owner=alice, items=[odd], validate=False)
    text = export(format="html").decode()
    tags = Tags(text).found
    assert not {name for name, _ in tags} & {"script", "svg", "iframe", "object", "link", "form", "input"}
    assert sum(name == "style" for name, _ in tags) == 1
    assert all(attributes["src"].startswith("data:image/") for name, attributes in tags if name == "img")
    assert {key for _, attributes in tags for key in attributes} <= {
        *("lang", "charset", "http-equiv", "name", "content", "class", "dir", "href", "rel", "target", "title"),
        *("tabindex", "alt", "src", "start"),
    }
    assert not any(str(attributes.get("href")).startswith("javascript:") for _, attributes in tags)
    assert sum(name == "section" for name, _ in tags) == 4
    assert "\u202e" not in re.sub('<div class="text.*?</div>', "", text, flags=re.DOTALL)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_content_forges_no_heading_in_markdown(hostile, alice):
    alice.username = hostile
    alice.save()
    items = [{"role": "user", "content": hostile}, {**CALL, "arguments": hostile}]
    Conversation.objects.create_with_items(owner=alice, metadata={hostile: hostile}, items=items)
    tokens = MarkdownIt("commonmark").parse(export(format="markdown").decode())
    pairs = [(start, text) for start, text in pairwise(tokens) if start.type == "heading_open" and start.tag == "h2"]
    headings = [text.content for start, text in pairs if start.level == 0]
    assert headings == ["1. User", "2. Function call"]
    assert not any(token.type == "html_block" and token.level == 0 for token in tokens)


def test_policy_of_html_allows_its_style_and_data_images_alone(db):
    text = export(format="html").decode()
    [policy] = [tag["content"] for name, tag in Tags(text).found if tag.get("http-equiv") == "Content-Security-Policy"]
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'", policy
    )
    assert "url(" not in text


@pytest.mark.parametrize("name", STORED)
def test_every_member_of_an_item_is_readable(name):
    data = STORED[name]["sent"]
    item = readable_item(data)
    shown = "\n".join([item.title.lower(), *(part.text for part in item.parts), *map(str, item.facts)])
    for text in texts_of(data):
        plain = json.dumps(text, ensure_ascii=False)[1:-1]
        assert text in shown or plain in shown or is_same_json(text, item.parts), text


def texts_of(value):
    """Yield the strings and numbers in a value, other than the types of parts."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key not in ("type", "role"):
                yield from texts_of(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts_of(member)
    elif isinstance(value, str | int | float) and value not in (True, False):
        yield str(value)


def is_same_json(text, parts):
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return any(part.text == json.dumps(value, ensure_ascii=False, indent=2) for part in parts)


def test_odd_metadata_is_readable(alice):
    Conversation.objects.create_with_items(owner=alice, metadata=ODD_METADATA)
    text = unescape(export(format="html").decode())
    for key, value in ODD_METADATA.items():
        assert f"<dt>{key}</dt><dd>{value}</dd>" in text


def test_items_of_an_unusual_structure_are_readable(alice):
    odd = ("text", 5, [5, None, []], {})
    for content in odd:
        item = {"type": "message", "role": 5, "content": content}
        Conversation.objects.create_with_items(owner=alice, items=[item], validate=False)
    for name in ("markdown", "html"):
        assert export(format=name).decode().count("1. 5") == len(odd)


def test_nul_is_replaced_and_lone_surrogates_of_json_are_escaped(alice):
    items = [
        {"role": "user", "content": "M\0", "x\0": "y\0"},
        {"type": "function_call", "call_id": "c\0", "name": "f", "arguments": '{"a":"\\ud800\\u0000"}'},
        {"type": "function_call_output", "call_id": "c\0", "output": "W\0s\0l"},
    ]
    Conversation.objects.create_with_items(owner=alice, items=items)
    for name in ("markdown", "html"):
        text = unescape(export(format=name).decode())
        assert "\0" not in text
        for shown in ("M\ufffd", "x\ufffd", "y\ufffd", "c\ufffd", "W\ufffds\ufffdl", '"\\ud800\\u0000"'):
            assert shown in text, (name, shown)
    assert b"W\\u0000s\\u0000l" in export(format="messages")
