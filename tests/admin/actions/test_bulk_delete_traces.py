from datetime import timedelta

from django.db import connection
from django.utils import timezone

from conversations.deletion import purge_trash
from conversations.models import AccessRecord, DeletedConversation
from tests.admin.actions.bulk_delete_page import CONTENT, DEMO, bulk_delete_url, confirm, create_conversation


def test_purged_content_is_in_no_table(admin_client, alice):
    url = bulk_delete_url({"owner": "alice"})
    create_conversation(alice, note=CONTENT)
    create_conversation(alice, **{CONTENT: "x"})
    page = admin_client.get(url)
    assert {"conversations_conversation", "conversations_item", "conversations_metadatapair"} <= tables_containing(
        CONTENT
    )
    confirm(admin_client, page, url, "2")
    DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=60))
    assert sum(purge_trash()) == 2
    assert tables_containing(CONTENT) == set()


def test_deleted_content_is_in_no_table_at_once_if_the_retention_is_zero_days(admin_client, alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    settings.CONVERSATIONS_FULL_TEXT = False
    url = bulk_delete_url({"owner": "alice"})
    create_conversation(alice, note=CONTENT)
    page = admin_client.get(url)
    assert "deleted for good now" in page.content.decode()
    confirm(admin_client, page, url, "1")
    assert tables_containing(CONTENT) == set()


def tables_containing(text: str) -> set[str]:
    """Return the names of all tables of the database, of the app and others, with the text in any column."""
    tables = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT * FROM {name}")
            if any(
                text in str(value) or text.encode() in to_bytes(value) for row in cursor.fetchall() for value in row
            ):
                tables.add(table)
    return tables


def to_bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def test_confirmation_page_shows_no_content_and_is_not_recorded(admin_client, alice):
    create_conversation(alice)
    html = admin_client.get(bulk_delete_url(DEMO)).content.decode()
    assert CONTENT not in html
    assert not AccessRecord.objects.exists()
