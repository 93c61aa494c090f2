import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.db import connection
from django.urls import reverse

from conversations.admin import ConversationAdmin
from conversations.admin.list.change_list import ConversationChangeList
from conversations.models import AccessRecord, Conversation
from conversations.schema.items import validate_items
from tests.plans import capture_statements

# The full-text index of MariaDB and MySQL finds committed rows only.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")
LIST_URL = reverse("admin:conversations_conversation_changelist")


def create_conversation(owner, *texts, **metadata):
    items = validate_items([{"role": "user", "content": text} for text in texts])
    return Conversation.objects.create_with_items(owner=owner, metadata=metadata, items=items)


def rows(page):
    return page.context["cl"].result_list


def log_in_with_permissions(client, user, *codenames):
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)


def test_text_search_shows_a_snippet_that_links_to_its_item(admin_client, alice):
    create_conversation(alice, "hello")
    conversation = create_conversation(alice, "hello", "Our <b>Refund</b> policy", topic="demo")
    item = conversation.items.get(position=2)
    page = admin_client.get(LIST_URL, {"q": 'refund topic:demo "refund b policy"'})
    assert rows(page) == [conversation]
    text = page.content.decode()
    assert "Our &lt;b&gt;<mark>Refund</mark>&lt;/b&gt; policy" in text
    link = rows(page)[0].snippet_url
    assert link.endswith(f"#item_{item.item_id}")
    assert link.replace("&", "&amp;") in text
    transcript = admin_client.get(link).content.decode()
    assert f'id="item_{item.item_id}"' in transcript


def test_snippet_shows_the_replacement_character_for_nul(admin_client, alice):
    create_conversation(alice, "dir W\0s\0l", topic="demo")
    for query in ("dir", '"W\ufffds\ufffdl"'):
        page = admin_client.get(LIST_URL, {"q": query}).content
        assert b"\0" not in page
        assert "\ufffds\ufffd" in page.decode()


@pytest.mark.parametrize(("cap", "text"), [(2, "2+ conversations"), (3, "3 conversations")])
def test_text_search_results_are_counted_up_to_their_own_cap(admin_client, alice, monkeypatch, cap, text):
    for _ in range(3):
        create_conversation(alice, "refund", topic="demo")
    monkeypatch.setattr(ConversationChangeList, "max_count_of_text", cap)
    for query in ("refund", "refund topic:demo", "-parcel"):
        assert text in admin_client.get(LIST_URL, {"q": query}).content.decode()


def test_negated_text_search_shows_no_snippets(admin_client, alice):
    conversation = create_conversation(alice, "hello")
    assert 'class="conversations-snippet"' in admin_client.get(LIST_URL, {"q": "hello"}).content.decode()
    page = admin_client.get(LIST_URL, {"q": "-refund"})
    assert rows(page) == [conversation]
    assert "conversations-snippet" not in page.content.decode()


@pytest.mark.parametrize(
    ("query", "count"), [("refund", 2), ("topic:demo OR refund", 2), ("nowhere", 0), ("-hello", 2)]
)
def test_each_search_for_text_is_recorded_once(admin_client, admin_user, alice, query, count):
    create_conversation(alice, "refund")
    create_conversation(alice, "a refund", topic="demo")
    admin_client.get(LIST_URL, {"q": query})
    record = AccessRecord.objects.get()
    assert (record.user, record.action, record.query) == (admin_user, AccessRecord.Action.SEARCH, query)
    assert record.conversation_count == count


@pytest.mark.parametrize("query", ["", "topic:demo", "created>1"])
def test_searches_without_text_are_recorded_as_reading(admin_client, alice, query):
    create_conversation(alice, "refund", topic="demo")
    page = admin_client.get(LIST_URL, {"q": query})
    assert len(rows(page)) == 1
    record = AccessRecord.objects.get()
    assert (record.action, record.query, record.conversation_count) == (AccessRecord.Action.READ, query, 1)


@pytest.mark.parametrize(("query", "is_listed"), [("refund", False), ("-refund", True), ("topic:demo OR refund", True)])
def test_text_search_requires_the_read_content_permission(client, alice, bob, query, is_listed):
    conversation = create_conversation(bob, "refund", topic="demo")
    log_in_with_permissions(client, alice, "view_conversation", "export_conversation", "delete_conversation")
    page = client.get(LIST_URL, {"q": query})
    assert rows(page) == ([conversation] if is_listed else [])
    assert "Can read the content of conversations" in page.content.decode()
    assert not AccessRecord.objects.exists()
    export = client.get(reverse("admin:conversations_conversation_export_list"), {"q": query})
    assert export.context["selection"].count.number == is_listed
    url = reverse("admin:conversations_conversation_change", args=[create_conversation(bob, "x").pk])
    transcript = client.get(url, {"_changelist_filters": f"q={query}"})
    assert (quote(conversation.pk) in transcript.content.decode()) == is_listed
    log_in_with_permissions(client, alice, "view_conversation", "read_content")
    assert (conversation in rows(client.get(LIST_URL, {"q": query}))) == (query != "-refund")


def test_text_search_finds_nothing_if_staff_may_not_read_content(admin_client, alice, settings):
    create_conversation(alice, "refund")
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = False
    page = admin_client.get(LIST_URL, {"q": "refund"})
    assert rows(page) == []
    assert "Message content is hidden from everyone here. An operator can change this." in page.content.decode()


def test_list_says_that_full_text_search_is_off(admin_client, alice, settings):
    settings.CONVERSATIONS_FULL_TEXT = False
    create_conversation(alice, "refund")
    page = admin_client.get(LIST_URL, {"q": "refund"})
    assert rows(page) == []
    assert "Full-text search is off" in page.content.decode()


def test_number_of_queries_does_not_grow_with_the_results(admin_client, alice):
    numbers = []
    for number in (1, 20):
        for _ in range(number):
            create_conversation(alice, *["refund"] * 3)
        with capture_statements() as statements:
            numbers.append((len(rows(admin_client.get(LIST_URL, {"q": "refund"}))), len(statements)))
    [(_one, before), (_all, after)] = numbers
    assert (_one, _all) == (1, 21)
    # Session, user, views, preferences; metadata keys, owners and call ids that the word may be; candidates, rows,
    # titles, access record, snippets, items; on PostgreSQL a plan, a savepoint and settings of the time limit, too.
    assert before == after <= 20


def test_text_search_by_autocomplete_is_recorded(admin_client, admin_user, alice, rf):
    create_conversation(alice, "refund")
    model_admin = ConversationAdmin(Conversation, admin.site)
    request = rf.get("/")
    request.user = admin_user
    queryset, _may_have_duplicates = model_admin.get_search_results(request, Conversation.objects.all(), "refund")
    assert AccessRecord.objects.get().query == "refund"
    assert queryset.count() == 1


@pytest.mark.parametrize("view_name", ["export_list", "bulk_deletion"])
def test_pages_that_count_the_results_record_the_search(admin_client, alice, view_name):
    create_conversation(alice, "refund")
    url = reverse(f"admin:conversations_conversation_{view_name}")
    admin_client.get(url, {"q": "topic:demo"})
    assert not AccessRecord.objects.exists()
    admin_client.get(url, {"q": "refund", "owner": "alice"})
    record = AccessRecord.objects.get()
    assert (record.action, record.query, record.conversation_count) == ("search", "refund owner=alice", 1)


def test_bulk_deletion_without_confirmation_page_records_the_search_once(admin_client, alice):
    conversation = create_conversation(alice, "refund")
    form = {
        "scope": "matching",
        "expected": "1",
        "typed": "1",
        "newest_id": conversation.pk,
        "deleted_count": 0,
        "kept_count": 0,
        "held_count": 0,
    }
    admin_client.post(f"{reverse('admin:conversations_conversation_bulk_deletion')}?q=refund", form)
    assert not Conversation.objects.exists()
    assert AccessRecord.objects.filter(action="search").count() == 1
