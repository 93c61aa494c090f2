"""What is imported, exported or made up is indexed as what clients send."""

from datetime import date
from io import BytesIO, StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.deletion import delete_conversation
from conversations.models import Conversation, ItemText
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from tests.seed import seed_conversations

# MariaDB and MySQL tell of words that are committed, and of no others.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


def create_conversation(owner, *texts):
    items = validate_items([{"role": "user", "content": text} for text in texts])
    return Conversation.objects.create_with_items(owner=owner, items=items)


def search(query):
    page = Conversation.objects.page(limit=100, order="asc", matching=parse_query(query))
    return [conversation.pk for conversation in page.rows]


def test_imported_conversations_are_found_by_text(alice):
    conversation_id = create_conversation(alice, "our refund policy", "hello").pk
    lines = b"".join(Export(Conversation.objects.all()))
    delete_conversation(Conversation.objects.get())
    assert search("refund") == []
    for _ in range(2):
        list(import_conversations(BytesIO(lines)))
        assert search('"refund policy"') == search("hello") == [conversation_id]
        assert ItemText.objects.count() == 2


def test_refused_import_leaves_no_item_texts(alice):
    create_conversation(alice, "refund", "hello")
    lines = b"".join(Export(Conversation.objects.all())).splitlines(keepends=True)
    delete_conversation(Conversation.objects.get())
    [outcome] = list(import_conversations(BytesIO(b"".join(lines[:-1]))))
    assert outcome.kind == "bad"
    assert search("refund") == []
    assert not ItemText.objects.exists()


def test_seeded_conversations_are_found_by_text(db):
    for _ in seed_conversations(conversations=30, items_per=4, seed=1, start=date(2026, 1, 1)):
        pass
    assert search('"delivery date"') or search('"30 tage"')
    assert not search("nowhere")


def test_export_accepts_phrases(alice, tmp_path):
    match = create_conversation(alice, "our refund policy")
    create_conversation(alice, "policy of refund")
    export = Export(Conversation.objects.all(), query=parse_query('"refund policy"'), with_items=False)
    assert [line.count(match.pk.encode()) for line in b"".join(export).splitlines()] == [1]
    file = tmp_path / "some.jsonl"
    call_command("export_conversations", str(file), query='"refund policy"', stdout=StringIO())
    assert file.read_text().count('"object":"conversation"') == 1


def test_export_by_phrases_is_refused_if_full_text_search_is_off(alice, settings):
    settings.CONVERSATIONS_FULL_TEXT = False
    with pytest.raises(CommandError, match="full-text search is off here"):
        call_command("export_conversations", query="refund")
