import re

import pytest
from django.contrib.admin.utils import quote
from django.http import QueryDict
from django.urls import reverse

from conversations.admin.transcript import Transcript
from conversations.models import Conversation
from conversations.schema.items import validate_items


class ShortPages(Transcript):
    items_per_page = 2


def with_messages(owner, count: int) -> Conversation:
    conversation = Conversation.create_with_items(owner=owner)
    messages = validate_items([{"role": "user", "content": "hi"}])
    conversation.add_items(items=messages * count)
    return conversation


@pytest.fixture
def conversation(alice) -> Conversation:
    return with_messages(alice, 5)


def page(conversation: Conversation, query: str = "") -> Transcript:
    return ShortPages(conversation, parameters=QueryDict(query.lstrip("?").partition("#")[0]))


def positions(transcript: Transcript) -> list[int]:
    return [item.position for item in transcript.items]


def test_later_pages_lead_from_the_first_item_to_the_last(conversation):
    first = page(conversation)
    second = page(conversation, first.later_url)
    third = page(conversation, second.later_url)
    assert [positions(p) for p in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert [p.has_earlier for p in (first, second, third)] == [False, True, True]
    assert [p.has_later for p in (first, second, third)] == [True, True, False]


def test_earlier_pages_lead_back_from_the_last_item(conversation):
    last = page(conversation, page(conversation).last_url)
    middle = page(conversation, last.earlier_url)
    assert [positions(p) for p in (last, middle)] == [[4, 5], [2, 3]]
    assert positions(page(conversation, middle.first_url)) == [1, 2]


def test_deleted_items_leave_no_page_that_is_empty(conversation):
    for row in list(conversation.items.filter(position__in=[1, 3, 4, 5])):
        conversation.delete_item(item_id=row.item_id)
    only = page(conversation)
    assert positions(only) == [2]
    assert not only.has_earlier
    assert not only.has_later


def test_a_place_beyond_the_end_leads_back(conversation):
    beyond = page(conversation, "after=5")
    assert positions(beyond) == []
    assert beyond.has_earlier
    assert positions(page(conversation, beyond.earlier_url)) == [4, 5]


@pytest.mark.parametrize("place", ["after=", "after=x", "after=-1", "after=²", f"after={'9' * 30}", "before="])
def test_a_place_that_makes_no_sense_is_the_start(conversation, place):
    assert positions(page(conversation, place)) == [1, 2]


def test_the_links_keep_the_filters_of_the_list(conversation):
    assert page(conversation, "_changelist_filters=a%3Db&after=2").first_url == (
        "?_changelist_filters=a%3Db#transcript"
    )


def test_a_long_conversation_is_paged_without_offset(admin_client, alice, django_assert_num_queries):
    conversation = with_messages(alice, 250)
    url = reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])
    with django_assert_num_queries(6) as queries:  # session, user, conversation, items, are there earlier, later
        response = admin_client.get(url, {"after": "100"})
    assert not any("OFFSET" in query["sql"] for query in queries)
    html = response.content.decode()
    assert [int(n) for n in re.findall(r'<li value="(\d+)">', html)] == list(range(101, 201))
    assert 'href="?after=200#transcript"' in html
    assert 'href="?before=101#transcript"' in html
    assert 'href="?before=251#transcript"' in html


def test_items_are_articles_of_an_ordered_list_with_heading_position_id_and_time(admin_client, alice):
    items = validate_items([{"role": "developer", "content": "be brief", "id": "msg_1"}])
    conversation = Conversation.create_with_items(owner=alice, items=items)
    url = reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])
    html = admin_client.get(url).content.decode()
    article = re.search(r'<ol>\s*<li value="1">\s*(<article.*?</article>)', html, re.S)[1]
    assert 'aria-labelledby="item-1-title"' in article
    assert '<h3 id="item-1-title">Developer</h3>' in article
    assert "<span>#1</span>" in article
    assert "<span>msg_1</span>" in article
    assert f'<time datetime="{conversation.created_at:%Y-%m}' in article
    assert "be brief" in article


def test_a_conversation_without_items_says_so(admin_client, alice):
    conversation = Conversation.create_with_items(owner=alice)
    url = reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])
    assert "This conversation has no items." in admin_client.get(url).content.decode()
