"""The panel of model calls on the page of a conversation in the admin."""

import re

import pytest

from tests.live.staff import Staff
from tests.responses.items import execute


@pytest.fixture
def page(stage, client):
    """Return a function that returns the text of a conversation's page."""
    staff = Staff(stage.service)

    def read(conversation_id):
        html = staff.get(f"conversations/conversation/{conversation_id.replace('_', '_5F')}/change/")
        panel = re.search(r'<section class="conversations-panel".*?</section>', html, re.S)
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", panel[0])) if panel else ""

    return read


def test_panel_has_the_sums_of_all_turns_and_a_line_for_each(client, stage, page):
    conversation = client.conversations.create()
    client.responses.create(model="echo", conversation=conversation.id, input="one")
    client.responses.create(model="fail", conversation=conversation.id, input="two")
    client.responses.create(model="incomplete", conversation=conversation.id, input="three")
    times = "UPDATE conversations_responses_turn SET started_at = '2026-01-02 03:04:05'"
    times += ", finished_at = '2026-01-02 03:04:24' WHERE conversation_id = %s"
    execute(stage, times, [conversation.id])
    text = page(conversation.id)
    assert "Model calls 3 Tokens in 40 Tokens out 10 Failed 1" in text
    started = "Jan. 2, 2026, 03:04"
    incomplete = f"{started} Incomplete incomplete 19 s 30 5"
    failed = f"{started} ✕ Failed model_error - 19 s - -"
    completed = f"{started} Completed echo 19 s 10 5"
    assert f"{incomplete} {failed} {completed}" in text


def test_panel_shows_the_newest_turns_and_sums_all(client, stage, page):
    conversation = client.conversations.create()
    insert = (
        "INSERT INTO conversations_responses_turn (conversation_id, token, status, error_code, model, input_tokens,"
        " output_tokens, last_position, output_count, has_upstream_ids, started_at, finished_at)"
        " VALUES (%s, %s, 'completed', '', %s, 1000, 1, 0, 0, %s, '2026-01-02 03:04:05', '2026-01-02 03:04:05')"
    )
    for number in range(51):
        execute(stage, insert, [conversation.id, f"panel {number}", f"model-{number}", False])
    text = page(conversation.id)
    assert "Model calls 51 Tokens in 51,000 Tokens out 51" in text
    assert "The newest 50 model calls" in text
    assert "model-50" in text
    assert "model-0" not in text


def test_overview_has_the_sums_of_each_model_in_the_period(client, stage):
    conversation = client.conversations.create()
    for model in ("echo", "fail", "echo"):
        client.responses.create(model=model, conversation=conversation.id, input="hello")
    times = "UPDATE conversations_responses_turn SET finished_at = '2031-05-06 12:00:00' WHERE conversation_id = %s"
    execute(stage, times, [conversation.id])
    staff = Staff(stage.service)
    overview = "conversations/conversation/overview/"
    html = staff.get(overview, created_from="2031-05-01", created_to="2031-05-06")
    [table] = re.findall(r'<caption class="visually-hidden">Model calls</caption>.*?</table>', html, re.S)
    assert re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", table)).endswith(" echo 2 0 40 10 - 1 1 - - ")
    assert "Model calls" not in staff.get(overview, created_from="2031-05-07", created_to="2031-05-08")


def test_conversation_without_turns_has_no_panel(client, page):
    assert page(client.conversations.create().id) == ""
