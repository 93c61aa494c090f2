"""NUL characters and lone surrogates: stored and replaced in items, refused in metadata and ids."""

import json
from copy import deepcopy

import pytest

from conversations.errors import APIError
from conversations.models import Conversation
from conversations.schema.include import INCLUDABLE
from conversations.schema.items import validate_items
from tests.schema.golden import FILES

WSL = rb'{"type":"function_call_output","call_id":"call_1","output":"W\u0000s\u0000l"}'
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "W\0s\0l"}
SHELL_CALL = (
    b'{"type":"local_shell_call","call_id":"c","status":"completed",'
    b'"action":{"type":"exec","command":[],"env":{"?":5}}}'
)
STORED_TYPES = sorted(FILES.keys() - {"compaction_trigger", "item_reference"})


def send(as_alice, item: bytes) -> list[bytes]:
    """Create a conversation with the item, append the item to another, and return all bodies that have it."""
    created = as_alice.send("/conversations", b'{"items":[' + item + b"]}").json()["id"]
    other = as_alice.new_conversation()
    appended = as_alice.send(f"/conversations/{other}/items", b'{"items":[' + item + b"]}")
    assert appended.status_code == 200, appended.content
    bodies = [appended.content]
    for conversation_id in (created, other):
        page = as_alice.get(f"/conversations/{conversation_id}/items")
        [stored] = page.json()["data"]
        bodies += [page.content, as_alice.get(f"/conversations/{conversation_id}/items/{stored['id']}").content]
    return bodies


def members(body: bytes) -> dict:
    item = json.loads(body)
    item = item["data"][0] if "data" in item else item
    return {name: value for name, value in item.items() if name not in ("id", "status")}


def test_nul_in_an_output_is_returned_escaped_by_every_endpoint(as_alice):
    for body in send(as_alice, WSL):
        assert members(body) == OUTPUT
        assert rb'"output": "W\u0000s\u0000l"' in body


@pytest.mark.parametrize("item_type", STORED_TYPES)
def test_nul_is_kept_in_every_text_and_name_of_every_item_type(as_alice, item_type):
    """Identifiers and the other members of limited vocabulary or characters refuse it as any other character."""
    for case in FILES[item_type]["accepted"]:
        item = _with_nul(case["sent"]) | {"x\0": [{"\0": "\0\0", "": ["\0"]}, "\\u0000", "\\\0"]}
        conversation_id = as_alice.new_conversation()
        query = "&".join(f"include[]={value}" for value in INCLUDABLE)
        response = as_alice.post(f"/conversations/{conversation_id}/items?{query}", {"items": [item]})
        assert response.status_code == 200, response.content
        [returned] = response.json()["data"]
        [expected] = validate_items([item])
        assert returned == {**expected, "id": returned["id"]}
        assert json.dumps(returned).count("\\u0000") >= json.dumps(item).count("\\u0000") > 6
        assert as_alice.items(conversation_id, **{"include[]": INCLUDABLE}) == [returned]
        assert as_alice.get(f"/conversations/{conversation_id}/items/{returned['id']}?{query}").json() == returned


def _with_nul(item: dict) -> dict:
    """Return the item with a NUL at the end of each text that may have one."""
    item = deepcopy(item)
    for container, step in list(_texts(item)):
        original = container[step]
        container[step] = f"{original}\0"
        try:
            validate_items([item])
        except APIError:
            container[step] = original
    return item


def _texts(value):
    """Yield each container in the value with the name or index of a text in it, but for ids, which may be replaced."""
    for step, member in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(member, str) and step != "id":
            yield value, step
        elif isinstance(member, dict | list):
            yield from _texts(member)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (rb"\ud83d", "\ufffd"),
        (rb"\ude42", "\ufffd"),
        (rb"\ude42\ud83d", "\ufffd\ufffd"),
        (rb"a\ud83d\ud83d\ude42b", "a\ufffd🙂b"),
        (rb"\ud83d\ude42", "🙂"),
        (rb"\uD83D\u0000", "\ufffd\0"),
        (rb"\\ud83d", "\\ud83d"),
    ],
)
def test_lone_surrogate_becomes_the_replacement_character(as_alice, sent, stored):
    item = rb'{"type":"function_call_output","call_id":"c?","output":"?","x":[{"?":"?"}]}'.replace(b"?", sent)
    expected = {**OUTPUT, "call_id": f"c{stored}", "output": stored, "x": [{stored: stored}]}
    for body in send(as_alice, item):
        assert members(body) == expected


@pytest.mark.parametrize(("escape", "name"), [(rb"\u0000", "NUL character"), (rb"\ud83d", "lone surrogate")])
@pytest.mark.parametrize(("pair", "path"), [(b'"a":"?"', "metadata.a"), (b'"?":"a"', "metadata"), (b'"a":["?"]', None)])
def test_metadata_with_unusual_text_is_refused_on_create_and_update(as_alice, assert_error, escape, name, pair, path):
    conversation_id = as_alice.new_conversation(topic="demo")
    body = b'{"metadata":{' + pair.replace(b"?", escape) + b"}}"
    path = path or "metadata.a[0]"
    for url in ("/conversations", f"/conversations/{conversation_id}"):
        message = f"Invalid '{path}': {name} in a string. Expected text without it."
        assert_error(as_alice.send(url, body), 400, message, param=path, code="invalid_value")
    assert Conversation.objects.get().metadata == {"topic": "demo"}


@pytest.mark.parametrize("escape", [rb"\u0000", rb"\ud83d"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"items":[{"role":"user","content":"x","id":"msg_?"}]}', "items[0].id"),
        (b'{"items":[{"type":"message?"}]}', "items[0]"),
        (b'{"items":[],"?":1}', "?"),
        (b'{"items":[' + SHELL_CALL + b"]}", "items[0].action.env.?"),
        (b'"?"', None),
    ],
)
def test_error_for_unusual_text_elsewhere_is_valid_json(as_alice, escape, body, param):
    response = as_alice.send("/conversations", body.replace(b"?", escape))
    assert response.status_code == 400
    text = "\0" if escape == rb"\u0000" else "\ufffd"
    assert json.loads(response.content)["error"]["param"] == (param and param.replace("?", text))
    assert not Conversation.objects.exists()
