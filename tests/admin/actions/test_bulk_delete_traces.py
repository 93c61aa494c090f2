from datetime import timedelta

from django.db import connection
from django.utils import timezone

from conversations.models import AccessRecord, DeletedConversation
from conversations.trash import purge
from tests.admin.actions.bulk_delete_page import DEMO, PLANTED, confirm, create, matching


def test_purged_content_is_in_no_table(admin_client, alice):
    url = matching({"owner": "alice"})
    create(alice, note=PLANTED)
    create(alice, **{PLANTED: "x"})
    page = admin_client.get(url)
    assert {"conversations_conversation", "conversations_item", "conversations_metadatapair"} <= tables_containing(
        PLANTED
    )
    confirm(admin_client, page, url, "2")
    DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=60))
    assert sum(purge()) == 2
    assert tables_containing(PLANTED) == set()


def test_deleted_content_is_in_no_table_at_once_if_the_retention_is_zero_days(admin_client, alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 0
    settings.CONVERSATIONS_FULL_TEXT = False
    url = matching({"owner": "alice"})
    create(alice, note=PLANTED)
    page = admin_client.get(url)
    assert "deleted for good now" in page.content.decode()
    confirm(admin_client, page, url, "1")
    assert tables_containing(PLANTED) == set()


def tables_containing(text: str) -> set[str]:
    """The tables that have it anywhere, in whatever is in the database."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT * FROM {name}")
            if any(
                text in str(value) or text.encode() in to_bytes(value) for row in cursor.fetchall() for value in row
            ):
                found.add(table)
    return found


def to_bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def test_confirmation_page_shows_no_content_and_is_not_recorded(admin_client, alice):
    create(alice)
    html = admin_client.get(matching(DEMO)).content.decode()
    assert PLANTED not in html
    assert not AccessRecord.objects.exists()
