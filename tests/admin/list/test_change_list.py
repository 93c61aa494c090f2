import re

import pytest
from django.db import connection
from django.urls import reverse

from conversations.admin import ConversationAdmin
from conversations.admin.list.change_list import ConversationChangeList
from conversations.deletion import delete_conversation
from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.queries import CapturedQueries

URL = reverse("admin:conversations_conversation_changelist")


def listed_ids(response) -> list[str]:
    return [conversation.pk for conversation in response.context["cl"].result_list]


def test_conversations_are_listed_newest_first(admin_client, alice, bob):
    old, middle, new = [Conversation.objects.create_with_items(owner=owner) for owner in (alice, bob, alice)]
    assert listed_ids(admin_client.get(URL)) == [new.pk, middle.pk, old.pk]


def test_row_shows_id_time_owner_metadata_and_item_count(admin_client, alice, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    items = validate_items([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}])
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo <b>"}, items=items)
    Conversation.objects.update(last_item_at="2026-03-01T20:30:00Z")
    html = admin_client.get(URL).content.decode()
    assert re.search(r'<a class="conversations-title"[^>]* title="hi">hi</a>', html)
    assert re.search(r'<td class="field-owner"><a class="conversations-pair"[^>]*>alice</a></td>', html)
    assert "<b>topic</b> = demo &lt;b&gt;" in html
    assert '<td class="field-item_count">2<span class="conversations-unit"> items</span></td>' in html
    assert 'title="2026-03-01 20:30:00 UTC">March 2, 2026</time>' in html
    prefix, middle, tail = conversation.pk[:5], conversation.pk[5:-6], conversation.pk[-6:]
    assert f">{prefix}<span>{middle}</span>{tail}</code>" in html


def test_search_finds_an_exact_id_ignoring_surrounding_spaces(admin_client, alice):
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    Conversation.objects.create_with_items(owner=alice)
    assert listed_ids(admin_client.get(URL, {"q": f"  {conversation.pk}\t"})) == [conversation.pk]
    for term in (f"{conversation.pk}0", conversation.pk.upper(), f"{conversation.pk} x:", "conv_none"):
        assert listed_ids(admin_client.get(URL, {"q": term})) == []


@pytest.mark.parametrize("number", ["zzzz0000", "ffffffff"])
def test_search_finds_an_id_that_encodes_no_time(admin_client, alice, number):
    conversation = Conversation.objects.create_with_items(owner=alice)
    Conversation.objects.filter(pk=conversation.pk).update(id=f"conv_{number}")
    assert listed_ids(admin_client.get(URL, {"q": f"conv_{number}"})) == [f"conv_{number}"]


def test_row_shows_three_metadata_pairs_and_the_number_of_others(admin_client, alice):
    pairs = {f"key {number}": f"value {number}" for number in range(16)}
    Conversation.objects.create_with_items(owner=alice, metadata=pairs)
    cell = re.search(r'<td class="field-title">.*?</td>', admin_client.get(URL).content.decode(), re.S)[0]
    shown, others = cell.split("<details><summary>+13</summary>")
    assert re.findall(r"<b>([^<]*)</b>", shown) == ["key 0", "key 1", "key 2"]
    assert re.findall(r"<b>([^<]*)</b> = ([^<]*)</a>", others) == [(f"key {n}", f"value {n}") for n in range(3, 16)]


def test_conversation_without_items_has_no_last_activity(admin_client, alice):
    Conversation.objects.create_with_items(owner=alice)
    assert re.search(r'<td class="field-last_item">\W*</td>', admin_client.get(URL).content.decode())


def test_titles_of_the_list_are_its_filter(admin_client, alice):
    def titles(parameters):
        html = admin_client.get(URL, parameters).content.decode()
        tab, heading = re.search(r"<title>([^<]*)</title>", html)[1], re.search(r"<h1[^>]*>([^<]*)</h1>", html)[1]
        return tab, heading, re.search(r"&rsaquo; ([^<&]*)\n</div>", html)[1].strip()

    assert titles({}) == ("Conversations | Conversations", "Conversations", "Conversations")
    text = "topic:demo, owner: alice"
    assert titles({"q": "topic:demo", "owner": "alice"}) == (f"{text} | Conversations", text, text)
    long = titles({"q": "x" * 300})[1]
    assert (len(long), long[-2:]) == (100, "x…")


def test_actions_are_offered_only_for_a_list_with_rows(admin_client, alice):
    def actions(parameters):
        html = admin_client.get(URL, parameters).content.decode()
        return 'name="action"' in html, "Export" in html, "Delete results…" in html

    assert actions({}) == (False, False, False)
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    assert actions({}) == (True, True, False)
    assert actions({"q": "topic:demo"}) == (True, True, True)
    assert actions({"q": "topic:other"}) == (False, False, False)
    assert actions({"created_from": "x"}) == (False, False, False)


@pytest.mark.parametrize("parameters", [{}, {"metadata_key": "topic", "metadata_value": "demo"}])
@pytest.mark.parametrize("count", [0, 1, 10])
def test_conversation_list_takes_a_constant_number_of_queries(
    admin_client, alice, bob, django_assert_max_num_queries, parameters, count
):
    for number in range(count):
        Conversation.objects.create_with_items(owner=(alice, bob)[number % 2], metadata={"topic": "demo"})
    admin_client.get(URL)
    # session, user, saved views (default and list), preferences, matches, their rows, access record, first messages
    with django_assert_max_num_queries(9):
        assert len(listed_ids(admin_client.get(URL, parameters))) == count


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(ConversationAdmin, "list_per_page", 2)
    monkeypatch.setattr(ConversationChangeList, "max_count", 4)
    monkeypatch.setattr(ConversationChangeList, "max_count_unbounded", 3)


@pytest.fixture
def ids(alice, small_pages) -> list[str]:
    """Ids of five conversations, newest first."""
    return [Conversation.objects.create_with_items(owner=alice, metadata={"k": "v"}).pk for _ in range(5)][::-1]


FILTERS = [{}, {"owner": "alice"}, {"metadata_key": "k", "metadata_value": "v"}, {"q": "-other:*"}, {"q": "k^v"}]


@pytest.mark.parametrize("parameters", FILTERS)
def test_no_query_counts_unbounded_or_uses_offset(admin_client, ids, parameters):
    with CapturedQueries(connection) as queries:
        first = admin_client.get(URL, parameters)
        admin_client.get(f"{URL}{first.context['cl'].next_url}")
        admin_client.get(f"{URL}{first.context['cl'].last_url}")
    statements = [query["sql"] for query in queries if "conversations_conversation" in query["sql"]]
    assert not any(re.search(r"\bOFFSET\b", sql) for sql in statements), statements
    # Failed items are counted for each conversation of the page.
    counts = [sql for sql in statements if "COUNT(" in sql and "conversations_item" not in sql]
    assert all(re.search(r"LIMIT [45]\) \S+$", sql) for sql in counts), counts


@pytest.mark.parametrize("parameters", FILTERS)
@pytest.mark.parametrize("order", [{}, {"o": "title"}])
def test_page_links_reach_all_rows_in_both_directions(admin_client, ids, parameters, order):
    expected = ids[::-1] if order else ids
    response = admin_client.get(URL, {**parameters, **order})
    assert response.context["cl"].first_url is response.context["cl"].previous_url is None
    pages = [listed_ids(response)]
    while url := response.context["cl"].next_url:
        response = admin_client.get(f"{URL}{url}")
        pages.append(listed_ids(response))
    assert pages == [expected[:2], expected[2:4], expected[4:]]
    assert response.context["cl"].last_url is None
    back = []
    while url := response.context["cl"].previous_url:
        response = admin_client.get(f"{URL}{url}")
        back.append(listed_ids(response))
    assert back == [expected[2:4], expected[:2]]
    assert listed_ids(admin_client.get(f"{URL}{response.context['cl'].last_url}")) == expected[3:]


def test_first_page_is_full_when_paging_back_from_any_cursor(admin_client, ids):
    assert listed_ids(admin_client.get(URL, {"before": ids[1]})) == ids[:2]
    assert listed_ids(admin_client.get(URL, {"after": ids[0]})) == ids[1:3]


def test_page_beyond_the_end_links_back(admin_client, ids):
    change_list = admin_client.get(URL, {"after": ids[-1]}).context["cl"]
    assert (change_list.result_list, change_list.next_url) == ([], None)
    assert listed_ids(admin_client.get(f"{URL}{change_list.previous_url}")) == ids[3:]


@pytest.mark.parametrize("place", ["x", "conv_\0", "conv_a b", ""])
def test_invalid_cursor_shows_the_first_page(admin_client, ids, place):
    for name in ("after", "before"):
        assert listed_ids(admin_client.get(URL, {name: place})) == ids[:2]


@pytest.mark.parametrize(
    ("parameters", "count"),
    [({}, "4+"), ({"metadata_key": "k", "metadata_value": "v"}, "4+"), ({"q": "-other:*"}, "3+"), ({"q": "k:no"}, "0")],
)
def test_capped_count_is_shown_with_a_plus(admin_client, ids, parameters, count):
    response = admin_client.get(URL, parameters)
    assert str(response.context["cl"].row_count) == count
    assert f"<span>{count} conversation" in response.content.decode()


def test_count_is_exact_up_to_its_cap(admin_client, ids):
    delete_conversation(Conversation.objects.get(pk=ids[0]))
    for parameters in FILTERS[:3]:
        assert str(admin_client.get(URL, parameters).context["cl"].row_count) == "4"


def test_list_can_be_sorted_by_creation_and_last_activity_only(admin_client, alice):
    items = validate_items([{"role": "user", "content": "hi"}])
    old, new = [Conversation.objects.create_with_items(owner=alice, items=items) for _ in range(2)]
    old.add_items(items)
    for name in ("title", "last_item"):
        assert listed_ids(admin_client.get(URL, {"o": name})) == [old.pk, new.pk], name
    for other in ("-title", "-last_item", "owner", "-owner", "1", "-1", "x", "99", "title.last_item"):
        assert listed_ids(admin_client.get(URL, {"o": other})) == [new.pk, old.pk], other


def test_heads_of_columns_link_to_the_orders_and_mark_the_current_one(admin_client, alice):
    Conversation.objects.create_with_items(owner=alice)

    def heads(parameters):
        html = admin_client.get(URL, parameters, follow=True).content.decode()
        table_head = re.search("<thead>.*?</thead>", html, re.S)[0]
        return re.findall(r'(?: aria-sort="(\w+)")?><div class="text"><a href="([^"]*)"', table_head)

    assert heads({}) == [("descending", "?o=title"), ("", "?o=last_item")]
    assert heads({"o": "last_item"}) == [("", "?o=title"), ("ascending", "?o=-last_item")]
    assert heads({"o": "title", "columns": ["", "owner"]}) == [("ascending", "?o=-title")]
    assert heads({"o": "last_item"}) == [("", "?o=title")]  # The order does not depend on the columns.


@pytest.mark.parametrize("parameters", FILTERS)
@pytest.mark.parametrize("order", ["last_item", "-last_item"])
def test_page_links_follow_the_order_of_the_last_activity(admin_client, ids, parameters, order):
    items = validate_items([{"role": "user", "content": "hi"}])
    for pk in (ids[1], ids[3], ids[0]):
        Conversation.objects.get(pk=pk).add_items(items)
    expected = [ids[0], ids[3], ids[1], ids[2], ids[4]][:: 1 if order == "last_item" else -1]
    response = admin_client.get(URL, {**parameters, "o": order})
    pages = [listed_ids(response)]
    while url := response.context["cl"].next_url:
        response = admin_client.get(f"{URL}{url}")
        pages.append(listed_ids(response))
    assert pages == [expected[:2], expected[2:4], expected[4:]]
    assert listed_ids(admin_client.get(f"{URL}{response.context['cl'].previous_url}")) == expected[2:4]
    assert listed_ids(admin_client.get(URL, {**parameters, "o": order, "last": "1"})) == expected[3:]
    gone = {**parameters, "o": order, "after": "conv_00000000"}
    assert listed_ids(admin_client.get(URL, gone)) == expected[:2]


def test_conversations_cannot_be_added(admin_client):
    assert admin_client.get(reverse("admin:conversations_conversation_add")).status_code == 403


def test_conversation_list_requires_the_view_permission(staff_client):
    client = staff_client("view_apikey")
    assert client.get(URL).status_code == 403


def test_select_across_pages_is_not_offered(admin_client, ids):
    html = admin_client.get(URL).content.decode()
    assert "0 of 2 selected" in html
    assert "across all pages" not in html
