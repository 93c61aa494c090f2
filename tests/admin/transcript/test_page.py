import json
import re
from datetime import datetime

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils.formats import date_format

from conversations.admin.transcript.page import Transcript
from conversations.models import Conversation, Item
from conversations.schema.items import validate_items
from tests.admin.transcript.pages import create_conversation, open_page, positions, url
from tests.queries import CapturedQueries


@pytest.fixture
def conversation(alice) -> Conversation:
    return create_conversation(alice, 5)


@pytest.fixture
def tools(alice) -> Conversation:
    items = [
        {"role": "user", "content": "**hi**", "id": "msg_1"},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}", "id": "fc_1"},
        {"type": "function_call_output", "call_id": "c1", "output": "21", "id": "fc_2"},
        {"role": "assistant", "content": "21", "id": "msg_2"},
    ]
    return Conversation.objects.create_with_items(owner=alice, items=validate_items(items))


def test_later_links_page_from_the_first_item_to_the_last(conversation):
    first = open_page(conversation)
    second = open_page(conversation, first.later_url)
    third = open_page(conversation, second.later_url)
    assert [positions(p) for p in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert [p.has_earlier for p in (first, second, third)] == [False, True, True]
    assert [p.has_later for p in (first, second, third)] == [True, True, False]


def test_earlier_links_page_back_from_the_last_item(conversation):
    last = open_page(conversation, open_page(conversation).last_url)
    middle = open_page(conversation, last.earlier_url)
    assert [positions(p) for p in (last, middle)] == [[4, 5], [2, 3]]
    assert positions(open_page(conversation, middle.first_url)) == [1, 2]


def test_deleted_items_leave_no_empty_page(conversation):
    for row in list(conversation.items.filter(position__in=[1, 3, 4, 5])):
        conversation.delete_item(item_id=row.item_id)
    only = open_page(conversation)
    assert positions(only) == [2]
    assert not only.has_earlier
    assert not only.has_later


def test_cursor_beyond_the_end_links_back(conversation):
    beyond = open_page(conversation, "after=5")
    assert positions(beyond) == []
    assert beyond.has_earlier
    assert positions(open_page(conversation, beyond.earlier_url)) == [4, 5]


@pytest.mark.parametrize("place", ["after=", "after=x", "after=-1", "after=²", f"after={'9' * 30}", "before="])
def test_invalid_cursor_shows_the_first_items(conversation, place):
    assert positions(open_page(conversation, place)) == [1, 2]


def test_transcript_links_keep_the_list_filters(conversation):
    filtered = open_page(conversation, "_changelist_filters=a%3Db&after=2&view=raw")
    assert filtered.first_url == "?_changelist_filters=a%3Db&view=raw#transcript"
    item = filtered.items[0]
    assert item.url == f"?_changelist_filters=a%3Db&item={item.item_id}#item_{item.item_id}"


def test_item_link_opens_its_page_and_marks_the_item(conversation):
    fourth = conversation.items.get(position=4)
    opened = open_page(conversation, open_page(conversation, "after=3").items[0].url)
    assert positions(opened) == [4, 5]
    assert [item.is_current for item in opened.items] == [True, False]
    assert opened.items[0].anchor == f"item_{fourth.item_id}"
    assert positions(open_page(conversation, f"item={fourth.item_id}", Transcript)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("item_id", ["msg_none", "é", "<script>", "' OR 1=1", "x" * 5000])
def test_link_to_an_unknown_item_shows_a_note_and_the_first_items(admin_client, conversation, item_id):
    html = admin_client.get(url(conversation), {"item": item_id}).content.decode()
    assert "This conversation has no item" in html
    assert 'value="1"' in html
    assert "no item “<script>" not in html


def test_an_item_of_another_conversation_is_not_found(conversation, alice):
    other = create_conversation(alice, 1)
    assert open_page(conversation, f"item={other.items.get().item_id}").is_requested_item_missing


def test_messages_filter_hides_other_items(tools):
    only = open_page(tools, "show=messages")
    assert positions(only) == [1, 4]
    assert not only.has_later
    assert positions(open_page(tools, show="messages")) == [1, 4]
    assert positions(open_page(tools, "show=all", show="messages")) == [1, 2]
    assert positions(open_page(tools, "item=fc_1", show="messages")) == [2, 3]


def test_display_preferences_persist_until_changed(admin_client, tools):
    def count_items(**query) -> tuple[int, bool]:
        html = admin_client.get(url(tools), query).content.decode()
        return html.count("<article"), "<strong>hi</strong>" in html

    assert count_items() == (3, True)  # the output is in the box of its call
    assert count_items(show="messages") == (2, True)
    assert count_items() == (2, True)
    assert count_items(view="raw") == (2, False)
    assert count_items(show="all") == (3, False)
    assert count_items(view="rendered", show="nonsense") == (3, True)
    assert count_items() == (3, True)


def test_raw_items_are_shown_as_their_full_json(tools):
    raw = open_page(tools, "view=raw").items[0]
    assert json.loads(raw.blocks[0].text) == tools.items.get(position=1).data
    assert raw.is_raw


def test_raw_view_can_be_toggled_per_item(tools):
    switched = open_page(tools, open_page(tools).items[1].switch_url)
    assert [item.is_raw for item in switched.items] == [False, True]
    assert [item.is_raw for item in open_page(tools, switched.items[1].switch_url).items] == [False, False]
    assert [item.is_raw for item in open_page(tools, "view=raw&raw=fc_1").items] == [True, False]


def test_a_long_conversation_is_paged_without_offset(admin_client, alice, django_assert_num_queries):
    conversation = create_conversation(alice, 250)
    # session, user, conversation, preferences, previous and next, access record, title, statistics, failures, calls,
    # items
    with django_assert_num_queries(12) as queries:
        response = admin_client.get(url(conversation), {"after": "100"})
    assert not any("OFFSET" in query["sql"] for query in queries)
    html = response.content.decode()
    assert [int(n) for n in re.findall(r'<li value="(\d+)">', html)] == list(range(101, 201))
    assert 'href="?after=200#transcript"' in html
    assert 'href="?before=101#transcript"' in html
    assert 'href="?before=251#transcript"' in html


@pytest.mark.parametrize("place", ["", "?after=150", "?before=151", "?item=msg_149"])
def test_page_cost_does_not_grow_with_the_length_of_the_conversation(admin_client, alice, place):
    def read(number: int) -> tuple[int, int]:
        conversation = create_conversation(alice, 1)
        row = conversation.items.get()
        QuerySet(Item).bulk_create(
            Item(
                conversation=conversation,
                position=position,
                item_id=f"msg_{position}",
                type="message",
                data={**row.data, "id": f"msg_{position}"},
                created_at=row.created_at,
            )
            for position in range(2, number + 1)
        )
        Conversation.objects.filter(pk=conversation.pk).update(last_position=number, item_count=number)
        with CapturedQueries(connection) as queries:
            page = admin_client.get(url(conversation) + place)
        return len(queries), len(page.context["transcript"].items)

    assert read(5_000) == read(300)


def test_counterparts_on_other_pages_take_one_query(admin_client, alice, django_assert_num_queries):
    conversation = Conversation.objects.create_with_items(owner=alice)
    calls = [{"type": "function_call", "call_id": f"c{n}", "name": "f", "arguments": "{}"} for n in range(100)]
    outputs = [{"type": "function_call_output", "call_id": f"c{n}", "output": str(n)} for n in range(100)]
    for items in (calls, outputs):
        for start in range(0, 100, 20):
            conversation.add_items(items=validate_items(items[start : start + 20]))
    with django_assert_num_queries(13):  # the queries of every page and one for counterparts
        html = admin_client.get(url(conversation)).content.decode()
    assert html.count("on another page") == 100
    assert "The output is item 101, on another page" in html


def test_items_are_list_articles_with_heading_position_id_and_time(admin_client, alice, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    items = validate_items([{"role": "developer", "content": "be brief", "id": "msg_1"}])
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)
    html = admin_client.get(url(conversation)).content.decode()
    article = re.search(r'<ol>\s*<li value="1">.*?(<article.*?</article>)', html, re.S)[1]
    assert 'id="item_msg_1" data-position="1" aria-labelledby="title-1"' in article
    assert '<h3 id="title-1">Developer</h3>' in article
    assert '<a href="?item=msg_1#item_msg_1">Link to item 1</a>' in article
    assert '<li class="conversations-copied" data-copy="msg_1"><code>msg_1</code></li>' in article
    time = re.search(r'<time datetime="([^"]+)\+09:00" title="([^"]+) UTC" dir="ltr">([^<]+)</time>', article)
    assert time[2] == f"{conversation.created_at:%Y-%m-%d %H:%M:%S}"
    assert time[3] == time[1][11:19] != time[2][11:]
    day = date_format(datetime.fromisoformat(time[1]))
    assert f'<p class="conversations-day">{day}</p>' in html
    assert '<details class="conversations-collapsible">' in article
    assert "be brief" in article


def test_statistics_show_types_characters_and_duration(admin_client, tools):
    transcript = open_page(tools)
    assert transcript.counts == [("Message", "2"), ("Function call", "1"), ("Function output", "1")]
    assert transcript.item_count == 4
    lengths = [len(json.dumps(row.data, separators=(",", ":"), ensure_ascii=False)) for row in tools.items.all()]
    assert transcript.characters == sum(lengths)
    first = tools.items.get(position=1)
    QuerySet(Item).filter(pk=first.pk).update(created_at=first.created_at.replace(year=first.created_at.year - 1))
    assert open_page(tools).duration.days in (365, 366)
    assert "Size" in admin_client.get(url(tools)).content.decode()


def test_conversation_without_items_shows_a_note(admin_client, alice):
    conversation = Conversation.objects.create_with_items(owner=alice)
    assert "This conversation has no items." in admin_client.get(url(conversation)).content.decode()


def test_page_is_complete_without_a_transcript(admin_client, tools, settings):
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = False
    response = admin_client.get(url(tools))
    assert response.context["transcript"] is None
    assert 'id="transcript"' not in response.content.decode()
    assert 'id="conversation_form"' in response.content.decode()


def test_form_with_errors_precedes_the_transcript(admin_client, tools):
    html = admin_client.post(url(tools), {"metadata_key": "", "metadata_value": "x"}).content.decode()
    assert html.index('id="conversation_form"') < html.index('id="transcript"')
    html = admin_client.get(url(tools)).content.decode()
    assert html.index('id="transcript"') < html.index('id="conversation_form"')


def test_page_names_the_numbers_of_its_items_and_of_all_items(admin_client, conversation):
    assert open_page(conversation, "after=2").range_text == "3\u20134 of 5"
    assert open_page(conversation, "show=messages").range_text == "#1\u20132"
    conversation.delete_item(item_id=conversation.items.get(position=2).item_id)
    assert open_page(conversation).range_text == "#1\u20133"
    assert open_page(conversation, "after=5").range_text == ""


def test_item_is_reached_by_its_number_as_by_its_id(admin_client, conversation):
    opened = open_page(conversation, "item=4&view=raw")
    assert positions(opened) == [4, 5]
    assert [item.is_current for item in opened.items] == [True, False]
    assert opened.other_parameters == [("view", "raw")]
    for number in ("6", "0", "9" * 30):
        assert open_page(conversation, f"item={number}").is_requested_item_missing


def test_pages_have_a_form_to_go_to_an_item(admin_client, alice):
    html = admin_client.get(url(create_conversation(alice, 150)), {"_changelist_filters": "q=a"}).content.decode()
    assert "<span>1\u2013100 of 150</span>" in html
    assert '<form method="get" action="#transcript">' in html
    assert '<input type="hidden" name="_changelist_filters" value="q=a"><input type="text" name="item"' in " ".join(
        html.split()
    ).replace("> <", "><")


@pytest.mark.parametrize("file_format", ["html", "markdown"])
def test_readable_export_is_one_button_of_the_transcript(admin_client, tools, file_format):
    html = admin_client.get(url(tools)).content.decode()
    assert f'<button type="submit" class="conversations-button" name="file_format" value="{file_format}">' in html
    response = admin_client.post(url(tools).replace("/change/", "/export/"), {"file_format": file_format})
    assert b"hi" in b"".join(response.streaming_content)
