"""Pages that name a conversation by its title: a user's first message, or the short id without the right to read."""

import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.urls import reverse

from conversations.admin.list.titles import shorten_id
from conversations.admin.metadata.form import metadata_digest
from conversations.models import AccessRecord, Conversation, DeletedConversation, DeletedPart
from conversations.retention.holds import place_hold
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash
from tests.queries import CapturedQueries

LIST_URL = reverse("admin:conversations_conversation_changelist")
TRASH_URL = reverse("admin:conversations_deletedconversation_changelist")
CONTENT = "planted-words"
PAGES = ("history", "delete", "hold", "export", "redact")


def create_conversation(owner) -> Conversation:
    items = validate_items([{"role": "user", "content": CONTENT}] * 2)
    return Conversation.objects.create_with_items(owner=owner, metadata={"topic": "demo"}, items=items)


@pytest.fixture
def conversation(alice) -> Conversation:
    return create_conversation(alice)


@pytest.fixture
def deleted(alice, bob) -> DeletedConversation:
    copy = move_to_trash(create_conversation(alice), deleted_by=bob)
    assert copy is not None
    return copy


def url(name: str, key, *args) -> str:
    return reverse(f"admin:conversations_{name}", args=[quote(key), *args])


def page_url(conversation: Conversation, page: str) -> str:
    args = [conversation.items.first().item_id] if page == "redact" else []
    return url(f"conversation_{page}", conversation.pk, *args)


def action(name: str, *rows) -> dict[str, object]:
    return {"action": name, "_selected_action": [row.pk for row in rows]}


def text_of(response) -> str:
    """Return the text of the page, without attributes, scripts and forms' values."""
    return unescape(re.sub(r"<[^>]*>", " ", response.content.decode().partition("<body")[2]))


@pytest.mark.parametrize("page", PAGES)
def test_page_about_a_conversation_names_it_by_its_title(admin_client, conversation, page):
    text = text_of(admin_client.get(page_url(conversation, page)))
    assert text.count(CONTENT) >= 2  # in the breadcrumbs and in the text
    assert "conv_" not in text


RIGHTS = [f"{verb}_conversation" for verb in ("view", "change", "delete", "hold", "export")]


@pytest.mark.parametrize("page", PAGES)
def test_page_has_the_short_id_without_the_permission_to_read(staff_client, conversation, page):
    client = staff_client(*RIGHTS, "redact_item")
    html = client.get(page_url(conversation, page)).content.decode()
    assert shorten_id(conversation.pk) in html
    assert CONTENT not in html
    assert not AccessRecord.objects.exists()


@pytest.mark.parametrize("name", ["delete_selected", "set_metadata"])
def test_action_lists_the_selected_conversations_by_their_titles(admin_client, staff_client, conversation, name):
    form = action(name, conversation)
    text = text_of(admin_client.post(LIST_URL, form))
    assert CONTENT in text
    assert "conv_" not in text
    html = staff_client(*RIGHTS).post(LIST_URL, form).content.decode()
    assert shorten_id(conversation.pk) in html
    assert CONTENT not in html


def test_messages_after_a_change_and_a_deletion_have_the_title(admin_client, staff_client, conversation, alice):
    seen = metadata_digest(conversation.metadata)
    form = {"metadata_key": ["topic"], "metadata_value": ["new"], "metadata_seen": seen}
    changed = admin_client.post(url("conversation_change", conversation.pk), form, follow=True)
    assert [str(each) for each in changed.context["messages"]] == [f"Saved the metadata of “{CONTENT}”."]
    deleted = admin_client.post(url("conversation_delete", conversation.pk), {"post": "yes"}, follow=True)
    assert [str(each) for each in deleted.context["messages"]] == [
        f"The conversation “{CONTENT}” was deleted successfully."
    ]
    assert CONTENT not in str(list(LogEntry.objects.values()))
    other = create_conversation(alice)
    refused = staff_client(*RIGHTS).post(url("conversation_delete", other.pk), {"post": "yes"}, follow=True)
    assert shorten_id(other.pk) in str(*refused.context["messages"])


def test_conversation_without_items_is_named_as_empty(admin_client, alice):
    empty = Conversation.objects.create_with_items(owner=alice)
    for page in (LIST_URL, url("conversation_change", empty.pk), url("conversation_delete", empty.pk)):
        assert "Empty conversation" in text_of(admin_client.get(page)), page
    assert "Delete “Empty conversation” with 0 items?" in text_of(admin_client.get(page))
    assert not AccessRecord.objects.exclude(conversation_count=1).exclude(conversation_id=empty.pk).exists()


def test_trash_names_conversations_by_their_titles(admin_client, deleted, alice):
    empty = move_to_trash(Conversation.objects.create_with_items(owner=alice))
    html = admin_client.get(TRASH_URL).content.decode()
    assert f'<bdi title="{deleted.conversation_id}">{CONTENT}</bdi>' in html
    assert f'<bdi title="{empty.conversation_id}">Empty conversation</bdi>' in html
    for page in ("change", "history", "delete", "hold"):
        html = admin_client.get(url(f"deletedconversation_{page}", deleted.pk)).content.decode()
        crumbs = html.partition('<div class="breadcrumbs">')[2].partition("</div>")[0]
        assert CONTENT in crumbs, page
        assert "conv_" not in crumbs, page
    selected = admin_client.post(TRASH_URL, action("delete_selected", deleted)).content.decode()
    assert f"<li>{CONTENT}</li>" in selected
    record = AccessRecord.objects.filter(action="read").earliest("pk")
    assert (record.conversation_id, record.conversation_count) == (deleted.conversation_id, None)


def test_title_in_the_trash_is_looked_for_at_the_beginning_of_the_copy(admin_client, alice, monkeypatch):
    monkeypatch.setattr("conversations.admin.content.titles.DELETED_BYTES", 2_000)
    noise = "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(5_000))
    items = validate_items([{"role": "system", "content": noise}, {"role": "user", "content": CONTENT}])
    deleted = move_to_trash(Conversation.objects.create_with_items(owner=alice, items=items))
    html = admin_client.get(TRASH_URL).content.decode()
    assert f">{shorten_id(deleted.conversation_id)}</bdi>" in html
    DeletedPart.objects.update(content=b"not gzip")
    assert f">{shorten_id(deleted.conversation_id)}</bdi>" in admin_client.get(TRASH_URL).content.decode()


def test_title_in_the_trash_requires_the_permission_to_read(staff_client, deleted, settings):
    short_id = shorten_id(deleted.conversation_id)
    pages = [TRASH_URL, url("deletedconversation_change", deleted.pk)]

    def read_pages(client) -> str:
        with CapturedQueries(connection) as captured:
            html = "".join(client.get(page).content.decode() for page in pages)
        assert not any(DeletedPart._meta.db_table in query["sql"] for query in captured)
        return html

    staff = staff_client("view_deletedconversation")
    html = read_pages(staff)
    assert short_id in html
    assert CONTENT not in html
    settings.CONVERSATIONS_VISIBLE_TO = "tests.visibility.visible_to_group"
    User.objects.get(username="staff").user_permissions.add(Permission.objects.get(codename="read_content"))
    assert CONTENT not in read_pages(staff)
    assert not AccessRecord.objects.filter(action="read").exists()


@pytest.mark.parametrize(("name", "verb"), [("delete_selected", "deleted"), ("set_metadata", "changed")])
def test_selected_conversation_on_legal_hold_is_marked(admin_client, conversation, alice, name, verb):
    other = create_conversation(alice)
    place_hold(conversation, reason="case", placed_by=alice)
    html = admin_client.post(LIST_URL, action(name, conversation, other)).content.decode()
    assert html.count(f'<span class="conversations-held">on legal hold, will not be {verb}</span>') == 1
