"""The fields of the filter form find what the same conditions of the query language find."""

import re
from datetime import UTC, datetime
from html import unescape
from urllib.parse import parse_qsl

import pytest

from conversations.admin.list.field_conditions import ConditionFields
from conversations.admin.list.parameters import FIELD_PARAMETERS
from conversations.models import AccessRecord, Conversation
from conversations.retention.holds import place_hold
from conversations.schema.items import ITEM_TYPES
from tests.admin.list.filtered_list import URL, listed_ids
from tests.admin.list.test_failure_marks import CALL, FAILED_CALL, OUTPUT

MESSAGE = {"role": "user", "content": "hi"}
FIELDS = [
    ({"active_from": "2026-03-02"}, "active>=2026-03-02", "active from March 2, 2026"),
    ({"active_to": "2026-03-02"}, "active<=2026-03-02", "last active by March 2, 2026"),
    ({"min_items": "2"}, "items>=2", "at least 2 items"),
    ({"max_items": "2"}, "items<=2", "at most 2 items"),
    ({"min_items": "0"}, "items>=0", "at least 0 items"),
    ({"type": "mcp_call"}, "@type:mcp_call", "item type: MCP call"),
    ({"tool": "find_order"}, "@tool:find_order", "tool: find_order"),
    ({"status": "failed"}, "@status:failed", "with failed items"),
    ({"has": "unanswered_call"}, "@has:unanswered_call", "with a call without output"),
    ({"held": "yes"}, "@has:hold", "on legal hold"),
    ({"held": "no"}, "-@has:hold", "not on legal hold"),
]


@pytest.fixture(autouse=True)
def conversations(alice) -> None:
    for day, items in enumerate(([MESSAGE], [CALL], [CALL, {**OUTPUT, "output": "x"}, MESSAGE], [FAILED_CALL], [])):
        row = Conversation.objects.create_with_items(owner=alice, metadata={"day": str(day)}, items=items)
        if items:
            moment = datetime(2026, 3, 1 + day, 12, tzinfo=UTC)
            Conversation.objects.filter(pk=row.pk).update(last_item_at=moment)
        if day == 2:
            place_hold(row, reason="test", placed_by="test")


@pytest.mark.parametrize(("fields", "text", "label"), FIELDS)
def test_field_finds_the_conversations_of_the_same_condition_as_text(admin_client, fields, text, label):
    response = admin_client.get(URL, fields)
    expected = listed_ids(admin_client.get(URL, {"q": text}))
    assert listed_ids(response) == expected
    assert expected
    assert AccessRecord.objects.filter(action="read").earliest("pk").query == "=".join(*fields.items())
    [[name, value]] = fields.items()
    html = response.content.decode()
    assert re.search(rf'<(?:input|select)[^>]* name="{name}"', html)
    assert str(response.context["cl"].form[name].value()) == value
    assert unescape(re.search(r"<li>([^<]*) <a", html)[1]) == label
    both = admin_client.get(URL, {**fields, "q": "day:2"})
    assert listed_ids(both) == listed_ids(admin_client.get(URL, {"q": f"day:2 {text}"}))
    removal = re.search(rf'<li>{re.escape(label)} <a href="([^"]*)"', both.content.decode())[1]
    assert parse_qsl(unescape(removal)[1:]) == [("q", "day:2")]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("active_from=2026-03-02&active_to=2026-03-01", "“From” is after “to”."),
        ("active_from=x", "Enter a valid date."),
        ("min_items=many", "Enter a whole number."),
        ("min_items=-1", "Ensure this value is greater than or equal to 0."),
        ("max_items=1000000000", "Ensure this value is less than or equal to 999999999."),
        ("type=nothing", "Select a valid choice. nothing is not one of the available choices."),
        ("status=ok", "Select a valid choice. ok is not one of the available choices."),
        ("has=call", "Select a valid choice. call is not one of the available choices."),
        ("held=perhaps", "Select a valid choice. perhaps is not one of the available choices."),
        ("tool=%00", "Null characters are not allowed."),
        (f"tool={'x' * 513}", "Ensure this value has at most 512 characters (it has 513)."),
        ("tool=a&tool=b", "Give each value once."),
    ],
)
def test_invalid_field_matches_nothing_and_says_why(admin_client, query, message):
    response = admin_client.get(f"{URL}?{query}")
    assert listed_ids(response) == []
    assert message in unescape(response.content.decode())


def test_every_item_type_can_be_chosen():
    assert {name for name, _label in ConditionFields.base_fields["type"].choices} == {"", *ITEM_TYPES}


def test_period_and_columns_keep_every_condition(admin_client):
    fields = {name: value for each, _text, _label in FIELDS for name, value in each.items()}
    typed = {"q": "day:2 -x:y", "owner": "alice", "end_user": "e", "created_from": "2026-01-01", **fields}
    assert typed.keys() == set(FIELD_PARAMETERS) - {"created_to"}
    for choice in ({"columns": ["", "owner"], "column_key": "day"}, {"shortcuts": "off"}, {"period": "today"}):
        kept = dict(parse_qsl(admin_client.get(URL, {**typed, **choice}).url[1:]))
        dates = ("created_from", "created_to") if "period" in choice else ()
        assert {name: value for name, value in kept.items() if name not in dates} == {
            name: value for name, value in typed.items() if name not in dates
        }
