from datetime import timedelta

from django.db import connection
from django.utils import timezone

from conversations.models import AccessRecord, DeletedConversation
from conversations.trash import purge
from tests.admin.actions.bulk_delete_page import DEMO, PLANTED, confirm, create, matching


def test_what_was_planted_is_found_in_no_table_once_it_is_purged(admin_client, alice):
    url = matching({"owner": "alice"})
    create(alice, note=PLANTED)
    create(alice, **{PLANTED: "x"})
    page = admin_client.get(url)
    assert {"conversations_conversation", "conversations_item", "conversations_metadatapair"} <= holding(PLANTED)
    confirm(admin_client, page, url, "2")
    DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=60))
    assert sum(purge()) == 2
    assert holding(PLANTED) == set()


def test_without_days_to_restore_it_is_in_no_table_at_once(admin_client, alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    settings.CONVERSATIONS_FULL_TEXT = False
    url = matching({"owner": "alice"})
    create(alice, note=PLANTED)
    page = admin_client.get(url)
    assert "deleted for good at once" in page.content.decode()
    confirm(admin_client, page, url, "1")
    assert holding(PLANTED) == set()


def holding(text: str) -> set[str]:
    """The tables that have it anywhere, in whatever is in the database."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT * FROM {name}")
            if any(
                text in str(value) or text.encode() in bytes_of(value) for row in cursor.fetchall() for value in row
            ):
                found.add(table)
    return found


def bytes_of(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def test_looking_is_no_reading(admin_client, alice):
    create(alice)
    html = admin_client.get(matching(DEMO)).content.decode()
    assert PLANTED not in html
    assert not AccessRecord.objects.exists()
