"""Red marks in the list of conversations with failed items or calls without output."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client

from conversations.admin.content.previews import load_previews
from conversations.admin.transcript.problems import Problems
from conversations.models import AccessRecord, Conversation
from conversations.retention.holds import place_hold
from tests.admin.list.filtered_list import URL
from tests.plans import analyze, capture_statements, plan_steps
from tests.queries import CapturedQueries

CALL = {"type": "function_call", "call_id": "1", "name": "find_order", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "1"}
FAILED_CALL = {"type": "mcp_call", "server_label": "shop", "name": "refund", "arguments": "{}", "status": "failed"}
INCOMPLETE = {
    "type": "message",
    "role": "assistant",
    "status": "incomplete",
    "content": [{"type": "output_text", "text": "x"}],
}
SHELL_OUTPUT = {
    "type": "shell_call_output",
    "call_id": "9",
    "output": [{"stdout": "", "stderr": "", "outcome": {"type": "exit", "exit_code": 2}}],
}


def marks(client: Client) -> list[str]:
    return re.findall(r'<span class="conversations-mark">([^<]*)</span>', client.get(URL).content.decode())


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], []),
        ([{"role": "user", "content": "The call failed: error"}], []),
        ([CALL, {**OUTPUT, "output": "Found."}], []),
        ([CALL], ["✕ unanswered call"]),
        ([CALL, {**OUTPUT, "output": "Error: not found"}, INCOMPLETE, SHELL_OUTPUT], ["✕ 3 failed"]),
        ([CALL, FAILED_CALL], ["✕ 1 failed", "✕ unanswered call"]),
    ],
)
def test_marks_agree_with_the_transcript(admin_client, alice, items, expected):
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)
    assert marks(admin_client) == expected
    problems = Problems.find(conversation.items.all(), item_url=str, max_characters=1_000_000)
    in_transcript = [f"✕ {problems.failed_text}"] if problems.failed else []
    assert expected == in_transcript + (["✕ unanswered call"] if problems.unanswered else [])


@pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB and MySQL choose by statistics of committed rows.")
def test_failed_items_are_counted_by_their_index(alice):
    messages = [{"role": "user", "content": "hi"}] * 300
    conversation = Conversation.objects.create_with_items(owner=alice, items=[*messages, FAILED_CALL])
    analyze()
    with capture_statements() as statements:
        assert load_previews([conversation], has_last=False)[conversation.pk].failed_count == 1
    [statement] = statements
    assert "conversations_item_status" in plan_steps(*statement)


def test_marks_are_for_staff_who_may_read_content_and_are_recorded(staff_client, alice):
    Conversation.objects.create_with_items(owner=alice, items=[CALL, FAILED_CALL])
    client = staff_client("view_conversation")
    assert marks(client) == []
    assert not AccessRecord.objects.exists()
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename="read_content"))
    assert marks(client) == ["✕ 1 failed", "✕ unanswered call"]
    assert AccessRecord.objects.get().conversation_count == 1


def test_mark_of_a_legal_hold_takes_no_permission_to_read_and_no_query(admin_client, staff_client, alice):
    held, _other = (Conversation.objects.create_with_items(owner=alice, items=[CALL]) for _ in range(2))

    def read_list(client: Client) -> tuple[str, int]:
        with CapturedQueries(connection) as captured:
            html = client.get(URL).content.decode()
        return html, len(captured)

    read_list(admin_client)
    before, count = read_list(admin_client)
    assert "conversations-held" not in before
    place_hold(held, reason="case", placed_by=alice)
    html, count_with_hold = read_list(admin_client)
    assert html.count('<span class="conversations-held">Held</span>') == 1
    assert count_with_hold == count
    assert staff_client("view_conversation").get(URL).content.decode().count("conversations-held") == 1
