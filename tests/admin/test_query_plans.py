"""What the pages of the admin ask the database, however many rows there are."""

import re
from datetime import date

import pytest
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from conversations.models import Conversation
from conversations.overview.report import MAX_NEW_CONVERSATIONS, MAX_NEW_ITEMS
from tests.admin_pages import PREVIEWS, add_other_rows, list_pages, other_pages, transcript_pages
from tests.plans import capture_statements
from tests.seed import seed_conversations

# MariaDB and MySQL find words in committed rows only.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")

MAX_OFFSET = 1_000
# To find the last of the newest rows that the overview counts.
CONSTANT_OFFSETS = {MAX_NEW_CONVERSATIONS, MAX_NEW_ITEMS}


@pytest.fixture
def store(admin_user, monkeypatch):
    """So many rows that each list has more than it counts or pages through, and few on each page."""
    monkeypatch.setattr(ModelAdmin, "list_per_page", 10)
    for _ in seed_conversations(conversations=60, items_per=3, seed=1, start=date(2026, 1, 1)):
        pass
    call_command("refresh_overview", verbosity=0)
    add_other_rows(admin_user, User.objects.get(username="seed-0001"), count=MAX_OFFSET + 20)


def counts_all(sql: str) -> bool:
    """Counting items of the conversation that is shown is bounded by that conversation."""
    return "COUNT(" in sql.upper() and not re.search(r"\bLIMIT \d+|\bconversation_id. = ", sql)


def offset(sql: str) -> int:
    return max({int(number) for number in re.findall(r"\bOFFSET (\d+)", sql)} - CONSTANT_OFFSETS, default=0)


@pytest.mark.slow
@pytest.mark.parametrize("pages", [list_pages, transcript_pages, other_pages])
def test_no_admin_page_counts_unbounded_or_uses_a_large_offset(admin_client, store, pages):
    asked = {}
    for name, url in pages().items():
        with capture_statements() as statements:
            answer = admin_client.get(url)
        assert answer.status_code == 200, name
        asked[name] = [sql for sql, _parameters in statements]
    assert all(asked.values())
    unbounded = {name: [sql for sql in statements if counts_all(sql)] for name, statements in asked.items()}
    assert {name: found for name, found in unbounded.items() if found} == {}
    assert max(offset(sql) for statements in asked.values() for sql in statements) <= MAX_OFFSET


def test_preview_columns_do_not_count_unbounded_or_use_offset(admin_client, store):
    admin_client.get(f"/admin/conversations/conversation/?{PREVIEWS}")
    with capture_statements() as statements:
        html = admin_client.get("/admin/conversations/conversation/").content.decode()
    assert "field-last_message" in html
    assert not any(counts_all(sql) or offset(sql) for sql, _parameters in statements)


def test_unbounded_counts_and_offsets_are_detected(db):
    with capture_statements() as statements:
        Conversation.objects.count()
        list(Conversation.objects.all()[3_000:3_001])
    assert [(counts_all(sql), offset(sql)) for sql, _parameters in statements] == [(True, 0), (False, 3_000)]
