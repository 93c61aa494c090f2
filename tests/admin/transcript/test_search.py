import re

import pytest

from conversations.admin.transcript.page import Transcript
from conversations.models import AccessRecord, Conversation
from conversations.schema.items import validate_items
from tests.admin.transcript.pages import create_conversation, open_page, positions, url


@pytest.fixture
def conversation(alice) -> Conversation:
    """Seven items, three of which have the word "refund"."""
    items = [
        {"role": "user", "content": "I want a **refund**.", "id": "msg_1"},
        {"role": "assistant", "content": "Which order?", "id": "msg_2"},
        {"role": "user", "content": "Order 17", "id": "msg_3"},
        {
            "type": "function_call",
            "call_id": "c1",
            "name": "find_refund",
            "arguments": '{"a": {"b": "Refund"}}',
            "id": "fc_4",
        },
        {"type": "function_call_output", "call_id": "c1", "output": "none", "id": "fc_5"},
        {"role": "system", "content": "No refunds.", "id": "msg_6"},
        {"role": "user", "content": "Why?", "id": "msg_7"},
    ]
    return Conversation.objects.create_with_items(owner=alice, items=validate_items(items))


def test_search_begins_at_the_first_match_and_leads_through_all_pages(conversation):
    first = open_page(conversation, "find=refund")
    second = open_page(conversation, first.search.next_url)
    third = open_page(conversation, second.search.next_url)
    assert [page.search.count_text for page in (first, second, third)] == ["1 of 3", "2 of 3", "3 of 3"]
    assert [positions(page)[0] for page in (first, second, third)] == [1, 4, 6]
    assert [page.items[0].is_current for page in (first, second, third)] == [True] * 3
    assert first.search.previous_url == third.search.next_url == ""
    assert open_page(conversation, third.search.previous_url).search.count_text == "2 of 3"


def test_search_is_kept_from_page_to_page(conversation):
    page = open_page(conversation, open_page(conversation, "find=refund&after=1").later_url)
    assert positions(page) == [4, 5]
    assert page.search.count_text == "3 items"
    assert open_page(conversation, "find=refund&item=msg_3").search.count_text == "3 items"
    assert open_page(conversation, "find=refund&item=msg_3").search.next_url.endswith("item=fc_4#item_fc_4")
    assert open_page(conversation, page.end_search_url).search is None
    assert ("find", "refund") in page.other_parameters
    assert "find" not in dict(page.parameters_without_search)


def test_search_shows_items_that_are_no_messages(conversation):
    page = open_page(conversation, "find=refund&show=messages", Transcript)
    assert positions(page) == [1, 2, 3, 4, 5, 6, 7]


def test_matches_are_marked_and_opened(admin_client, conversation):
    html = admin_client.get(url(conversation), {"find": "refund"}).content.decode()
    assert html.count("<mark>") == 4
    assert "<code>find_<mark>refund</mark></code>" in html
    assert "<strong><mark>refund</mark></strong>" in html
    assert '<span class="hl-string">"<mark>Refund</mark>"</span>' in html
    assert '<details class="conversations-collapsible" open>' in html
    assert "1 of 3" in html
    assert '<input type="search" name="find" value="refund"' in html


def test_search_without_a_match_says_so(admin_client, conversation):
    html = admin_client.get(url(conversation), {"find": '<script>"x'}).content.decode()
    assert "No items match." in html
    assert "<script>&quot;" not in html
    assert 'value="&lt;script&gt;&quot;x"' in html
    assert "<mark>" not in html


@pytest.mark.parametrize("find", ["\x00", "%00", "a" * 5_000, '"' * 50, "(", "\\", "[^", "🚀", "' OR 1=1"])
def test_any_search_is_answered(admin_client, conversation, find):
    assert admin_client.get(url(conversation), {"find": find}).status_code == 200


def test_search_is_one_reading(admin_client, conversation):
    admin_client.get(url(conversation), {"find": "refund"})
    assert list(AccessRecord.objects.values_list("action", flat=True)) == ["read"]


def test_search_needs_the_permission_to_read(staff_client, conversation):
    html = staff_client("view_conversation").get(url(conversation), {"find": "refund"}).content.decode()
    assert "of 3" not in html
    assert "conversations-find" not in html


def test_search_of_a_very_long_conversation_says_where_it_ended(conversation):
    class Short(Transcript):
        max_loaded_characters = 150

    page = open_page(conversation, "find=refund", Short)
    assert not page.search.is_complete
    assert page.search.count_text == "1 of 1+"


def test_searches_take_one_query_for_all_pages(admin_client, alice, django_assert_num_queries):
    conversation = create_conversation(alice, 250)
    with django_assert_num_queries(13):  # the queries of every page, and one that reads the items of all pages
        html = admin_client.get(url(conversation), {"find": "hi"}).content.decode()
    assert re.search(r"1 of 250\b", html)
