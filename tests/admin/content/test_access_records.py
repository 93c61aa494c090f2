"""Each page that shows or searches message content stores exactly one access record for it; other pages store none."""

from collections.abc import Callable

import pytest
from django.contrib.admin.utils import quote
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from django.utils.http import urlencode

from conversations.models import AccessRecord, Conversation, DeletedConversation
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash
from tests.admin.actions.bulk_delete_page import hidden_fields

# The full-text index of MariaDB and MySQL finds committed rows only.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")
LIST_URL = reverse("admin:conversations_conversation_changelist")
EXPORT_URL = reverse("admin:conversations_conversation_export_list")
DELETE_URL = reverse("admin:conversations_conversation_bulk_deletion")
WORD = "q=refund"
PREVIEWS = "columns=last_message"
Page = Callable[[Client, Conversation], object]


@pytest.fixture
def conversation(alice) -> Conversation:
    """The second of three conversations that contain the same word."""
    items = validate_items([{"role": "user", "content": "a refund"}])
    return [Conversation.objects.create_with_items(owner=alice, items=items) for _ in range(3)][1]


def url_of(conversation: Conversation, page: str = "change", *args: object) -> str:
    return reverse(f"admin:conversations_conversation_{page}", args=[quote(conversation.pk), *args])


def filtered_url_of(conversation: Conversation, filters: str) -> str:
    return f"{url_of(conversation)}?{urlencode({'_changelist_filters': filters})}"


def download_item(client: Client, conversation: Conversation) -> None:
    assert client.get(url_of(conversation, "item", conversation.items.get().item_id)).status_code == 200


def export(client: Client, url: str, file_format: str = "jsonl") -> None:
    assert client.post(url, {"file_format": file_format}).getvalue()


def delete_matches(client: Client, conversation: Conversation) -> None:
    page = client.get(f"{DELETE_URL}?{WORD}")
    AccessRecord.objects.all().delete()  # the record of the confirmation page
    client.post(f"{DELETE_URL}?{WORD}", {**hidden_fields(page), "typed": "3"})
    assert not Conversation.objects.exists()


def select(action: str) -> dict[str, object]:
    return {"action": action, "_selected_action": list(Conversation.objects.values_list("pk", flat=True))}


def trash_row(conversation: Conversation) -> DeletedConversation:
    row = move_to_trash(conversation)
    assert row is not None
    return row


def trash_url(page: str, *args: object) -> str:
    return reverse(f"admin:conversations_deletedconversation_{page}", args=args)


READ, EXPORT, SEARCH, DELETE = ("read", None), ("export", 1), ("search", None), ("delete", None)
PAGES: dict[str, tuple[Page, list[tuple[str, int | None]]]] = {
    "transcript": (lambda client, row: client.get(url_of(row)), [READ]),
    "later page of the transcript": (lambda client, row: client.get(url_of(row), {"after": 1}), [READ]),
    "transcript opened from a list of metadata": (
        lambda client, row: client.get(filtered_url_of(row, "q=-topic:*")),
        [READ],
    ),
    "transcript opened from a text search": (
        lambda client, row: client.get(filtered_url_of(row, WORD)),
        [SEARCH, READ],
    ),
    "item": (download_item, [READ]),
    "unknown item": (lambda client, row: client.get(url_of(row, "item", "msg_unknown")), []),
    "list": (lambda client, row: client.get(LIST_URL), [("read", 3)]),
    "list with previews": (lambda client, row: client.get(f"{LIST_URL}?{PREVIEWS}", follow=True), [("read", 3)]),
    "list of a text search": (lambda client, row: client.get(f"{LIST_URL}?{WORD}"), [("search", 3)]),
    "incomplete page of a text search": (
        lambda client, row: client.get(f"{LIST_URL}?{WORD}&before={row.pk}"),
        [("search", 3)],
    ),
    "list of a text search with previews": (
        lambda client, row: client.get(f"{LIST_URL}?{WORD}&{PREVIEWS}", follow=True),
        [("search", 3)],
    ),
    "export page": (lambda client, row: client.get(EXPORT_URL), []),
    "export page of a text search": (lambda client, row: client.get(f"{EXPORT_URL}?{WORD}"), [("search", 3)]),
    "export page of one conversation": (lambda client, row: client.get(url_of(row, "export")), [READ]),
    "export": (lambda client, row: export(client, EXPORT_URL), [("export", 3)]),
    "export without content": (lambda client, row: export(client, EXPORT_URL, "csv"), [("export", 3)]),
    "export of a text search": (lambda client, row: export(client, f"{EXPORT_URL}?{WORD}"), [("export", 3)]),
    "export of one conversation": (lambda client, row: export(client, url_of(row, "export")), [EXPORT]),
    "confirmation of a deletion": (lambda client, row: client.get(DELETE_URL), []),
    "confirmation of a deletion by text": (lambda client, row: client.get(f"{DELETE_URL}?{WORD}"), [("search", 3)]),
    "deletion by text": (delete_matches, [("search", 3), DELETE, ("delete", 3), DELETE, DELETE]),
    "confirmation of one deletion": (lambda client, row: client.get(url_of(row, "delete")), [READ]),
    "deletion": (lambda client, row: client.post(url_of(row, "delete"), {"post": "yes"}), [READ, DELETE]),
    "confirmation of the deletion of some": (
        lambda client, row: client.post(LIST_URL, select("delete_selected")),
        [("read", 3)],
    ),
    "confirmation of a change of some": (
        lambda client, row: client.post(LIST_URL, select("set_metadata")),
        [("read", 3)],
    ),
    "legal hold": (lambda client, row: client.get(url_of(row, "hold")), [READ]),
    "redaction": (lambda client, row: client.get(url_of(row, "redact", row.items.get().item_id)), [READ]),
    "new items of a transcript": (lambda client, row: client.get(url_of(row, "new_items", 0)), []),
    "new conversations": (lambda client, row: client.get(url_of(row, "new")), []),
    "new conversations of a text search": (lambda client, row: client.get(f"{url_of(row, 'new')}?{WORD}"), []),
    "history": (lambda client, row: client.get(url_of(row, "history")), [READ]),
    "overview": (lambda client, row: client.get(reverse("admin:conversations_overview")), []),
    "empty trash": (lambda client, row: client.get(trash_url("changelist")), []),
    "trash": (lambda client, row: (trash_row(row), client.get(trash_url("changelist"))), [READ]),
    "deleted conversation": (lambda client, row: client.get(trash_url("change", trash_row(row).pk)), [READ]),
    "history of a deleted conversation": (
        lambda client, row: client.get(trash_url("history", trash_row(row).pk)),
        [READ],
    ),
    "access log": (lambda client, row: client.get(reverse("admin:conversations_accessrecord_changelist")), []),
    "restoring": (lambda client, row: client.post(trash_url("restore", trash_row(row).pk)), [("restore", None)]),
    "deletion for good": (
        lambda client, row: client.post(trash_url("delete", trash_row(row).pk), {"post": "yes"}),
        [READ, ("purge", 1)],
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_stores_one_record_for_each_content_read_or_change(admin_client, conversation, name):
    open_page, expected = PAGES[name]
    open_page(admin_client, conversation)
    records = AccessRecord.objects.order_by("id")
    assert list(records.values_list("action", "conversation_count")) == expected


def test_previous_and_next_of_a_text_search_are_recorded_with_its_filter(admin_client, admin_user, conversation):
    url = filtered_url_of(conversation, f"{WORD}&owner=alice")
    assert admin_client.get(url).content.decode().count(' rel="prev"') == 1
    search = AccessRecord.objects.get(action="search")
    assert (search.user, search.query, search.conversation_id) == (admin_user, "refund owner=alice", "")


def test_previous_and_next_of_a_text_search_are_not_shown_if_the_record_cannot_be_stored(admin_client, conversation):
    def refuse(execute, sql, *arguments):
        if sql.startswith("INSERT"):
            raise DatabaseError("no space left")
        return execute(sql, *arguments)

    admin_client.raise_request_exception = False
    with connection.execute_wrapper(refuse):
        assert admin_client.get(filtered_url_of(conversation, WORD)).status_code == 500


def test_previous_and_next_of_a_text_search_require_the_read_content_permission(staff_client, conversation):
    html = staff_client("view_conversation").get(filtered_url_of(conversation, WORD)).content.decode()
    assert ' rel="prev"' not in html
    assert ' rel="next"' not in html
    assert not AccessRecord.objects.exists()
