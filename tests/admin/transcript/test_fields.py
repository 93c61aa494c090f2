import json
import re
from datetime import datetime

import pytest
from django.utils import timezone
from django.utils.formats import date_format

from conversations.models import Conversation
from conversations.retention.redaction import marker_text, redact_item
from conversations.schema.items import validate_items
from tests.admin.transcript.pages import url
from tests.admin.transcript.test_item import GOLDEN, STORED_TYPES, plain_text, render_item

CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
UNKNOWN = {"frame_count", "frame_duration_ms", "x_trace"}  # members of golden items that the API does not have
LABEL = re.compile(r"<b[^>]*>([^<]*):</b>|<p class=\"conversations-label\">([^<]*)</p>")


def labels(html: str) -> set[str]:
    return {first or second for first, second in LABEL.findall(html)}


@pytest.mark.parametrize("item_type", STORED_TYPES)
def test_labels_of_known_members_are_words(item_type):
    for example in json.loads((GOLDEN / f"{item_type}.json").read_text())["accepted"]:
        [data] = validate_items([example["sent"]])
        assert {label for label in labels(render_item(data)) if "_" in label} <= UNKNOWN


def test_label_names_the_member_on_hover():
    html = render_item({**CALL, "created_by": "user_1"})
    assert '<b title="created_by">Created by:</b> <bdi>user_1</bdi>' in html


@pytest.mark.parametrize(
    ("member", "line"),
    [
        ({"made_up": True}, "made_up: yes"),
        ({"allowed_callers": ["direct", "programmatic"]}, "Allowed callers: direct, programmatic"),
        ({"allowed_callers": ["a, b", "c"]}, 'Allowed callers: ["a, b", "c"]'),
        ({"caller": {"type": "direct"}}, "Caller: direct"),
        ({"caller": {"type": "program", "caller_id": "c_1"}}, "Caller: program · Caller id: c_1"),
        ({"caller": {"type": "program", "other": "c_1"}}, 'Caller: {"type": "program", "other": "c_1"}'),
        ({"caller": {"type": "program", "mode": ["c_1"]}}, 'Caller: {"type": "program", "mode": ["c_1"]}'),
    ],
)
def test_short_member_is_a_line_of_words(member, line):
    assert line in plain_text(render_item({**CALL, **member}))


def test_single_long_member_stands_under_its_label():
    html = render_item({**CALL, "user_location": {"city": "x" * 80}})
    assert "User location" in labels(html)
    assert "Other fields" not in labels(html)
    html = render_item({**CALL, "user_location": {"city": "x" * 80}, "other_note": "y " * 80})
    assert "Other fields" in labels(html)


@pytest.mark.parametrize("item", [CALL, {"role": "user", "content": "secret"}])
def test_redacted_item_says_who_redacted_it_when_and_why(admin_client, admin_user, alice, item):
    conversation = Conversation.objects.create_with_items(owner=alice, items=validate_items([item]))
    row = conversation.items.get()
    redaction = redact_item(conversation, row.item_id, reason="a card <number>", redacted_by=admin_user)
    page = plain_text(admin_client.get(url(conversation)).content.decode())
    moment = timezone.localtime(datetime.fromisoformat(redaction.marker["redaction"]["redacted_at"]))
    time = f"{date_format(moment)}, {moment:%H:%M}"
    name = "Function call" if item is CALL else "Message"
    assert f"On {time}, admin redacted this item. Reason: a card <number> Original item: {name}" in page
    assert "redacted_by" not in page
    assert "redacted_by" in plain_text(admin_client.get(url(conversation), {"view": "raw"}).content.decode())


@pytest.mark.parametrize(
    "changes",
    [
        {"content": "told by the client"},
        {"content": [{"type": "input_text", "text": "told by the client"}]},
        {"redaction": "told by the client"},
    ],
)
def test_member_that_a_client_named_redaction_hides_no_content(changes):
    redaction = {"item_type": "message", "reason": "x", "redacted_by": "bob", "redacted_at": "never"}
    content = [{"type": "input_text", "text": marker_text("x")}]
    html = render_item({"type": "message", "role": "user", "content": content, "redaction": redaction} | changes)
    assert "told by the client" in html
    assert "bob redacted" not in html
    html = render_item({"type": "message", "role": "user", "content": content, "redaction": redaction})
    assert "On never, bob redacted this item." in html
