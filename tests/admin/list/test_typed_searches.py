import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.urls import reverse

from conversations.admin.list.word_lookup import MAX_ITEMS, MAX_KEYS, MAX_OWNERS
from conversations.models import Conversation, SavedView
from conversations.schema.items import validate_items
from tests.admin.list.filtered_list import URL, listed_ids
from tests.schema.query.typed_texts import SAYING, TYPED, WORDLESS

# The full-text index of MariaDB and MySQL finds committed rows only.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")
DELETE_URL = reverse("admin:conversations_conversation_bulk_deletion")
EXPORT_URL = reverse("admin:conversations_conversation_export_list")


def create(owner, *texts: str, **metadata: str) -> Conversation:
    items = validate_items([{"role": "user", "content": text} for text in texts])
    return Conversation.objects.create_with_items(owner=owner, metadata=metadata, items=items)


def html(page) -> str:
    return unescape(page.content.decode())


@pytest.mark.parametrize("text", SAYING)
def test_search_box_finds_the_conversation_that_says_what_was_typed(admin_client, alice, text):
    saying = create(alice, f"Well, {text} is what I said", "parcel")
    create(alice, "something else")
    page = admin_client.get(URL, {"q": text})
    assert listed_ids(page) == [saying.pk]
    assert "errorlist" not in page.content.decode()


@pytest.mark.parametrize("text", TYPED)
def test_page_shows_how_the_search_was_read(admin_client, text):
    reading, _position = TYPED[text]
    page = admin_client.get(URL, {"q": text})
    assert page.status_code == 200
    assert "errorlist" not in page.content.decode()
    shown = re.findall(r'Read as <code dir="auto">(.*?)</code>', page.content.decode())
    assert [unescape(each) for each in shown] == ([reading] if reading != text else [])


@pytest.mark.parametrize("text", [text for text in WORDLESS if text != "\0"])
def test_search_for_punctuation_finds_nothing_and_says_why(admin_client, alice, text):
    create(alice, f"Well, {text}")
    page = admin_client.get(URL, {"q": text})
    assert listed_ids(page) == []
    assert "There is no letter, digit or emoji to search for" in html(page)


def test_bare_key_is_a_condition_only_if_visible_metadata_has_it(admin_client, alice):
    says = create(alice, "We meet at topic:demo")
    has = create(alice, topic="demo")
    assert listed_ids(admin_client.get(URL, {"q": "topic:demo"})) == [has.pk]
    has.delete()
    page = admin_client.get(URL, {"q": "topic:demo"})
    assert listed_ids(page) == [says.pk]
    assert 'Read as <code dir="auto">"topic:demo"</code>' in html(page)


def test_key_of_invisible_conversations_is_read_as_words(admin_client, alice, bob, monkeypatch):
    from conversations.admin import ConversationAdmin

    create(bob, topic="demo")
    says = create(alice, "topic:demo")
    get_queryset = ConversationAdmin.get_queryset
    monkeypatch.setattr(
        ConversationAdmin, "get_queryset", lambda self, request: get_queryset(self, request).filter(owner=alice)
    )
    assert listed_ids(admin_client.get(URL, {"q": "topic:demo"})) == [says.pk]


def test_search_without_matches_lists_what_was_looked_for_and_what_to_try(admin_client, alice):
    create(alice, "parcel", topic="demo")
    text = html(admin_client.get(URL, {"q": "C++", "owner": "alice"}))
    assert "No conversations match." in text
    assert '<li><code dir="auto">"C++"</code> <a href="?owner=alice">search without it</a></li>' in text
    assert '<li>owner: alice <a href="?q=C%2B%2B">search without it</a></li>' in text
    assert "“refund” does not find “refunds”" in text
    assert "compared exactly" not in text
    assert '<a href="?">Show all conversations</a>' in text
    assert "compared exactly" in html(admin_client.get(URL, {"q": "topic:Demo"}))


def test_empty_list_shows_how_to_create_a_conversation(admin_client):
    text = html(admin_client.get(URL))
    assert "No conversations yet." in text
    assert "curl http://testserver/v1/conversations -H" in text
    assert """-d '{"items": [{"role": "user", "content": "Hello!"}]}'</code>""" in text


def test_invalid_filter_is_not_shown_as_an_empty_result(admin_client):
    text = html(admin_client.get(URL, {"owner": "nobody"}))
    assert "This filter can't be used." in text
    assert "No conversations match." not in text


@pytest.mark.parametrize("action_url", [DELETE_URL, EXPORT_URL])
def test_action_on_a_search_shows_the_reading_and_the_number_first(admin_client, alice, action_url):
    create(alice, "mail erika@example.com")
    create(alice, "mail others")
    listed = html(admin_client.get(URL, {"q": "erika@example.com"}))
    [link] = re.findall(rf'href="({action_url}\?[^"]*)"', listed)
    assert parse_qs(urlsplit(link).query) == {"q": ['"erika@example.com"']}
    page = html(admin_client.get(link))
    assert "<strong>1 conversation</strong>" in page
    assert '<li dir="auto">"erika@example.com"</li>' in page


@pytest.mark.parametrize("action_url", [DELETE_URL, EXPORT_URL])
@pytest.mark.parametrize("method", ["get", "post"])
def test_action_refuses_a_search_that_is_not_in_the_query_language(admin_client, alice, action_url, method):
    create(alice, "mail erika@example.com")
    response = getattr(admin_client, method)(f"{action_url}?q=erika%40example.com", {}, follow=True)
    assert 'Put text in quotes to search for it: "erika@example.com"' in html(response)
    assert Conversation.objects.count() == 1


def test_saved_view_has_the_search_as_it_was_read(admin_client, alice):
    saying = create(alice, "erika@example.com")
    page = admin_client.get(URL, {"q": "erika@example.com"})
    sent = {"name": "Erika", "query_string": page.context["cl"].view_to_save}
    opened = admin_client.post(reverse("admin:conversations_savedview_add"), sent, follow=True)
    assert parse_qs(SavedView.objects.get().query_string)["q"] == ['"erika@example.com"']
    assert listed_ids(opened) == [saying.pk]


def test_saved_view_refuses_a_search_that_is_not_in_the_query_language(admin_client):
    sent = {"name": "Erika", "query_string": "q=erika%40example.com"}
    page = admin_client.post(reverse("admin:conversations_savedview_add"), sent)
    assert 'Put text in quotes to search for it: "erika@example.com"' in html(page)
    assert not SavedView.objects.exists()


def listed(client, text: str) -> list[str]:
    page = client.get(URL, {"q": text})
    assert "errorlist" not in page.content.decode()
    return listed_ids(page)


@pytest.mark.parametrize("text", ["A-77812", "A-77812?", '"A-77812"', "A-77812 plan:free"])
@pytest.mark.parametrize("full_text", [True, False])
def test_bare_word_finds_metadata_with_that_value(admin_client, alice, settings, text, full_text):
    settings.CONVERSATIONS_FULL_TEXT = full_text
    conversation = create(alice, "hello", order_id="A-77812", plan="free")
    create(alice, "hello", order_id="A-778123", plan="free")
    create(alice, "hello", order_id="a-77812", plan="free")
    assert listed(admin_client, text) == [conversation.pk]


def test_words_are_also_looked_up_as_one_metadata_value(admin_client, alice):
    conversation = create(alice, "hello", phone="+49 170 1234567")
    create(alice, "hello", phone="170")
    assert listed(admin_client, "+49 170 1234567") == [conversation.pk]


def test_value_and_message_are_found_together_in_the_order_of_the_list(admin_client, alice):
    by_message = create(alice, "my parcel")
    by_value = create(alice, "hello", topic="parcel")
    neither = create(alice, "hello", topic="other")
    both = create(alice, "a parcel", topic="parcel")
    assert listed(admin_client, "parcel") == [both.pk, by_value.pk, by_message.pk]
    assert listed(admin_client, "-parcel") == [neither.pk]
    assert listed_ids(admin_client.get(URL, {"q": "parcel", "o": "title"})) == [by_message.pk, by_value.pk, both.pk]
    assert listed(admin_client, "parcel OR topic:other") == [both.pk, neither.pk, by_value.pk, by_message.pk]


def test_frequent_value_is_listed_page_by_page(admin_client, alice, monkeypatch):
    monkeypatch.setattr("conversations.search.text_scan.MAX_CANDIDATES", 2)
    monkeypatch.setattr("conversations.admin.ConversationAdmin.list_per_page", 3)
    rows = [create(alice, "parcel" if n % 3 == 0 else "hello", topic="parcel" if n % 2 else "x").pk for n in range(12)]
    expected = [pk for n, pk in enumerate(rows) if n % 3 == 0 or n % 2][::-1]
    first = listed(admin_client, "parcel")
    second = listed_ids(admin_client.get(URL, {"q": "parcel", "after": first[-1]}))
    assert [*first, *second] == expected[:6]


def test_owner_is_found_by_name_and_by_email(admin_client, alice, bob):
    alice.email = "alice@example.com"
    alice.save()
    conversation = create(alice, "hello")
    create(bob, "hello")
    assert listed(admin_client, "alice") == listed(admin_client, "alice@example.com") == [conversation.pk]
    assert listed(admin_client, "nobody@example.com") == []


def test_words_combine_with_conditions_on_metadata(admin_client, alice, bob):
    of_alice = create(alice, "hello", topic="demo", order_id="A-1")
    create(bob, "hello", topic="demo", order_id="A-2")
    create(alice, "hello", topic="other")
    item_id = of_alice.items.get().item_id
    for word in ("alice", "A-1", of_alice.pk[:-1], item_id[:-1]):
        assert listed(admin_client, f"topic:demo {word}") == [of_alice.pk]
    assert len(listed(admin_client, "topic:demo -nobody")) == 2


def test_beginning_of_an_id_is_found(admin_client, alice):
    conversation = create(alice, "hello")
    other = create(alice, "hello")
    item = conversation.items.get()
    assert listed(admin_client, conversation.pk[:-1]) == [conversation.pk]
    assert listed(admin_client, conversation.pk[:10]) == [other.pk, conversation.pk]
    assert listed(admin_client, item.item_id[:-1]) == [conversation.pk]


def test_call_id_is_found(admin_client, alice):
    call = {"type": "function_call", "call_id": "call_Xy1", "name": "find", "arguments": "{}"}
    conversation = Conversation.objects.create_with_items(owner=alice, items=[call])
    other = Conversation.objects.create_with_items(owner=alice, items=[{**call, "call_id": "call_xy1"}])
    assert listed(admin_client, "call_Xy1") == [conversation.pk]
    assert listed(admin_client, "call_xy1") == [other.pk]


def test_item_id_leads_to_the_item(admin_client, alice):
    conversation = create(alice, "hello", "bye")
    item = conversation.items.get(position=2)
    response = admin_client.get(URL, {"q": f" {item.item_id}", "owner": "", "metadata_operator": "eq"}, follow=True)
    [(url, _status)] = response.redirect_chain
    assert url.endswith(f"#item_{item.item_id}")
    assert conversation.pk in response.content.decode()
    assert f'id="item_{item.item_id}"' in response.content.decode()


def test_item_id_of_a_fork_lists_both_conversations(admin_client, alice):
    conversation = create(alice, "hello")
    fork = conversation.fork()
    assert listed(admin_client, conversation.items.get().item_id) == [fork.pk, conversation.pk]


def test_without_the_right_to_read_messages_words_find_metadata_only(staff_client, alice):
    client = staff_client("view_conversation")
    create(alice, "parcel")
    by_value = create(alice, "hello", topic="parcel")
    page = client.get(URL, {"q": "parcel"})
    assert listed_ids(page) == [by_value.pk]
    assert "You may not read messages" in html(page)
    assert "Words are looked up in metadata values, ids and owners only." in html(page)
    item = by_value.items.get()
    assert listed_ids(client.get(URL, {"q": item.item_id})) == [by_value.pk]


@pytest.fixture
def many_keys(alice) -> None:
    for first in range(0, MAX_KEYS, 10):
        create(alice, **{f"key_{n}": "x" for n in range(first, first + 10)})


def test_page_says_that_a_word_is_not_compared_with_all_keys(admin_client, alice, many_keys):
    assert "are compared with a word" not in html(admin_client.get(URL, {"q": "A-1"}))
    last = create(alice, zzz="A-1")
    page = admin_client.get(URL, {"q": "A-1"})
    assert listed_ids(page) == []
    assert "only the first 100, 100 and 10 are compared with a word" in html(page)
    page = admin_client.get(URL, {"q": "zzz:A-1"})
    assert listed_ids(page) == [last.pk]
    assert "are compared with a word" not in html(page)


@pytest.mark.parametrize("count", [MAX_OWNERS, MAX_OWNERS + 1])
def test_page_says_that_not_all_owners_of_an_email_address_are_compared(admin_client, django_user_model, count):
    for n in range(count):
        django_user_model.objects.create_user(f"user {n}", email="team@example.com")
    page = admin_client.get(URL, {"q": "team@example.com"})
    assert ("are compared with a word" in html(page)) == (count > MAX_OWNERS)


@pytest.mark.parametrize("count", [MAX_ITEMS, MAX_ITEMS + 1])
def test_page_says_that_not_all_items_of_a_call_are_compared(admin_client, alice, count):
    call = {"type": "function_call", "call_id": "call_77812", "name": "f", "arguments": "{}"}
    called = Conversation.objects.create_with_items(owner=alice, items=validate_items([call]) * count)
    page = admin_client.get(URL, {"q": "call_77812"})
    assert listed_ids(page) == [called.pk]
    assert ("are compared with a word" in html(page)) == (count > MAX_ITEMS)


def test_page_says_that_full_text_search_is_off(admin_client, alice, settings):
    settings.CONVERSATIONS_FULL_TEXT = False
    create(alice, "parcel", topic="demo")
    page = admin_client.get(URL, {"q": "parcel"})
    assert listed_ids(page) == []
    assert "Full-text search is off here" in html(page)
    assert "Full-text search is off here" not in html(admin_client.get(URL, {"q": "topic:demo"}))


@pytest.mark.parametrize("action_url", [DELETE_URL, EXPORT_URL])
def test_action_selects_what_the_list_shows_for_a_bare_word(admin_client, alice, action_url):
    create(alice, "hello", phone="+49 170 1234567")
    create(alice, "hello", order_id="A-1")
    for text in ("+49 170 1234567", "A-1"):
        [link] = re.findall(rf'href="({action_url}\?[^"]*)"', html(admin_client.get(URL, {"q": text})))
        assert "<strong>1 conversation</strong>" in html(admin_client.get(link))
