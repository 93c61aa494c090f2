import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.models import Conversation
from conversations.schema.items import validate_items

URL = reverse("admin:conversations_conversation_changelist")


def shown_ids(response) -> list[str]:
    return [conversation.pk for conversation in response.context["cl"].result_list]


def test_conversations_are_listed_newest_first(admin_client, alice, bob):
    old, middle, new = [Conversation.create_with_items(owner=owner) for owner in (alice, bob, alice)]
    assert shown_ids(admin_client.get(URL)) == [new.pk, middle.pk, old.pk]


def test_a_row_tells_id_owner_metadata_and_number_of_items(admin_client, alice):
    items = validate_items([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}])
    conversation = Conversation.create_with_items(owner=alice, metadata={"topic": "demo <b>"}, items=items)
    html = admin_client.get(URL).content.decode()
    assert f">{conversation.pk}</a>" in html
    assert '<td class="field-owner nowrap">alice</td>' in html
    assert "<li><b>topic</b> = demo &lt;b&gt;</li>" in html
    assert '<td class="field-item_count">2</td>' in html


def test_the_search_finds_an_exact_id_with_space_around_it_and_nothing_else(admin_client, alice):
    conversation = Conversation.create_with_items(owner=alice, metadata={"topic": "demo"})
    Conversation.create_with_items(owner=alice)
    assert shown_ids(admin_client.get(URL, {"q": f"  {conversation.pk}\t"})) == [conversation.pk]
    for term in (conversation.pk[:-1], conversation.pk.upper(), "demo", "alice", f"{conversation.pk} x"):
        assert shown_ids(admin_client.get(URL, {"q": term})) == []


@pytest.mark.parametrize("parameters", [{}, {"metadata_key": "topic", "metadata_value": "demo"}])
def test_the_list_takes_as_many_queries_for_many_rows_as_for_none(
    admin_client, alice, bob, django_assert_num_queries, parameters
):
    for owner in (alice, bob) * 5:
        Conversation.create_with_items(owner=owner, metadata={"topic": "demo"})
    with django_assert_num_queries(4):  # session, user, count, rows
        assert len(shown_ids(admin_client.get(URL, parameters))) == 10


def test_no_count_is_unbounded_whatever_is_filtered(admin_client, alice):
    conversation = Conversation.create_with_items(owner=alice, metadata={"topic": "demo"})
    for parameters in (
        {},
        {"owner": "alice"},
        {"metadata_key": "topic", "metadata_value": "demo"},
        {"q": conversation.pk, "owner": "alice"},
    ):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert shown_ids(admin_client.get(URL, parameters)) == [conversation.pk]
        counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        assert len(counts) == 1
        assert re.search(r"LIMIT 10001\) \S+$", counts[0])


def test_only_the_id_can_be_sorted_by(admin_client, alice):
    old, new = [Conversation.create_with_items(owner=alice) for _ in range(2)]
    assert shown_ids(admin_client.get(URL, {"o": "1"})) == [old.pk, new.pk]
    assert shown_ids(admin_client.get(URL, {"o": "5"})) == [new.pk, old.pk]


def test_conversations_cannot_be_added(admin_client):
    assert admin_client.get(reverse("admin:conversations_conversation_add")).status_code == 403


def test_the_list_takes_the_permission_to_view_conversations(staff_client):
    client = staff_client("view_apikey")
    assert client.get(URL).status_code == 403


def test_all_pages_cannot_be_selected_at_once(admin_client, alice):
    for _ in range(101):
        Conversation.create_with_items(owner=alice)
    response = admin_client.get(URL)
    assert "0 of 100 selected" in response.content.decode()
    assert "across all pages" not in response.content.decode()
    assert len(shown_ids(admin_client.get(URL, {"p": "2"}))) == 1
