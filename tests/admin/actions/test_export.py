import csv
import gzip
import json
import tracemalloc
from io import BytesIO, StringIO

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.utils import quote
from django.db import DatabaseError, connection
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from conversations.admin.actions import selection
from conversations.admin.actions.export import FILE_FORMATS
from conversations.deletion import delete_conversation
from conversations.models import AccessRecord, Conversation
from conversations.schema.items import validate_items
from conversations.transfer import exporter
from conversations.transfer.importer import import_conversations
from tests.queries import CapturedQueries

LIST_URL = reverse("admin:conversations_conversation_changelist")
URL = reverse("admin:conversations_conversation_export_list")
DEMO = {"metadata_key": "topic", "metadata_operator": "eq", "metadata_value": "demo"}
EXPORTER = ("view_conversation", "read_content", "export_conversation")
CONTENT = "planted-words"


def items(*texts: str) -> list[dict]:
    return validate_items([{"role": "user", "content": text} for text in texts])


def export_url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_export", args=[quote(conversation.pk)])


def export(client: Client, file_format: str = "jsonl", url: str = URL, **query):
    return client.post(f"{url}?{urlencode(query, doseq=True)}", {"file_format": file_format})


def exported_ids(text: bytes) -> list[str]:
    lines = map(json.loads, text.splitlines())
    return [line["id"] for line in lines if line["object"] == "conversation"]


def rows(text: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(text.decode("utf-8-sig"), newline="")))[1:]


@pytest.fixture
def conversations(alice, bob) -> list[Conversation]:
    return [
        Conversation.objects.create_with_items(owner=owner, metadata={"topic": topic}, items=items(CONTENT, "2"))
        for owner, topic in [(alice, "demo"), (bob, "demo"), (alice, "other")]
    ]


def test_export_contains_exactly_the_listed_conversations(admin_client, conversations):
    for query in ({}, DEMO, {**DEMO, "owner": "bob"}, {"q": "-topic:demo"}, {"q": conversations[1].pk}):
        page = admin_client.get(LIST_URL, query)
        ids = [row.pk for row in page.context["cl"].result_list]
        assert exported_ids(export(admin_client, **query).getvalue()) == ids[::-1]
        confirmation = admin_client.get(URL, query).content.decode()
        assert f"<strong>{len(ids)} conversation" in confirmation


def test_export_ignores_cursor_order_and_view(admin_client, conversations):
    ids = [row.pk for row in conversations]
    for place in ({"after": ids[1]}, {"before": ids[1]}, {"last": "1"}, {"o": "title"}, {"view": "all"}):
        assert exported_ids(export(admin_client, **place).getvalue()) == ids


@pytest.mark.parametrize(
    "query", [{"q": "topic:("}, {"color": "red"}, {"owner": "carol"}, {**DEMO, "metadata_operator": "resembles"}]
)
def test_invalid_filter_exports_nothing(admin_client, conversations, query):
    for response in (admin_client.get(URL, query), export(admin_client, **query)):
        is_redirect = response.status_code == 302
        assert is_redirect or response.getvalue() == b"" or "<strong>0 conversations" in response.content.decode()


@pytest.mark.parametrize(("format", "suffix"), [("jsonl", "jsonl"), ("jsonl.gz", "jsonl.gz")])
def test_exported_json_lines_can_be_imported(admin_client, conversations, format, suffix):
    response = export(admin_client, format, **DEMO)
    today = timezone.localdate().isoformat()
    assert response["Content-Disposition"] == f'attachment; filename="conversations-{today}.{suffix}"'
    assert "Content-Length" not in response
    text = response.getvalue()
    if suffix.endswith("gz"):
        text = gzip.decompress(text)
    for conversation in conversations[:2]:
        delete_conversation(conversation)
    assert [outcome.kind for outcome in import_conversations(BytesIO(text))] == ["added", "added"]
    assert Conversation.objects.count() == 3


def test_csv_has_a_row_for_each_conversation_or_item(admin_client, conversations):
    response = export(admin_client, "csv", **DEMO)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert [row[0] for row in rows(response.getvalue())] == [row.pk for row in conversations[:2]]
    response = export(admin_client, "items-csv", **DEMO)
    assert response["Content-Disposition"].endswith('.items.csv"')
    assert [(row[0], row[6]) for row in rows(response.getvalue())] == [
        (row.pk, text) for row in conversations[:2] for text in (CONTENT, "2")
    ]


def test_single_conversation_is_exported_from_its_page(admin_client, conversations):
    url = export_url(conversations[1])
    page = admin_client.get(reverse("admin:conversations_conversation_change", args=[quote(conversations[1].pk)]))
    assert f'<a href="{url}">Export</a>' in page.content.decode()
    assert "with 2 items" in admin_client.get(url).content.decode()
    response = export(admin_client, url=url)
    assert f'filename="{conversations[1].pk}-' in response["Content-Disposition"]
    assert exported_ids(response.getvalue()) == [conversations[1].pk]
    record = AccessRecord.objects.latest("pk")
    assert (record.action, record.conversation_id, record.conversation_count) == ("export", conversations[1].pk, 1)
    assert admin_client.get(URL.replace("export", "conv_5F0/export")).status_code == 404


@pytest.mark.parametrize(
    ("file_format", "suffix", "start"),
    [
        ("html", "html", b"<!doctype html>"),
        ("markdown", "md", b"# conv_"),
        ("messages", "messages.jsonl", b'{"messages":[{"role":"user","content":"planted-words"}'),
    ],
)
def test_transcript_offers_each_format_and_its_download_is_recorded(
    file_format, suffix, start, staff_client, conversations
):
    client = staff_client(*EXPORTER)
    page = client.get(reverse("admin:conversations_conversation_change", args=[quote(conversations[1].pk)]))
    form = page.content.decode().partition('<div class="conversations-export-as"')[2].partition("</div>")[0]
    assert f'action="{export_url(conversations[1])}"' in form
    assert f'<option value="{file_format}">' in form
    response = export(client, file_format, export_url(conversations[1]))
    assert f'attachment; filename="{conversations[1].pk}-' in response["Content-Disposition"]
    assert response["Content-Disposition"].endswith(f'.{suffix}"')
    assert response.getvalue().startswith(start)
    record = AccessRecord.objects.latest("pk")
    assert (record.action, record.conversation_id, record.conversation_count) == ("export", conversations[1].pk, 1)


@pytest.mark.parametrize("codename", ["read_content", "export_conversation"])
def test_transcript_offers_no_format_to_staff_who_may_not_export_content(codename, staff_client, conversations):
    client = staff_client("view_conversation", codename)
    page = client.get(reverse("admin:conversations_conversation_change", args=[quote(conversations[1].pk)]))
    assert "conversations-export-as" not in page.content.decode()


def test_list_links_to_the_export_of_its_filter(admin_client, conversations):
    html = admin_client.get(LIST_URL, {**DEMO, "after": conversations[1].pk}).content.decode()
    address = f"{URL}?{urlencode(DEMO)}".replace("&", "&amp;")
    assert f'<a href="{address}">Export results</a>' in html


def test_export_is_recorded_before_its_first_byte_and_counted_at_its_end(staff_client, conversations):
    client = staff_client(*EXPORTER)
    assert client.get(URL, DEMO).status_code == 200
    assert not AccessRecord.objects.exists()
    response = export(client, **DEMO, owner="alice")
    record = AccessRecord.objects.get()
    assert (record.username, record.action, record.conversation_id) == ("staff", "export", "")
    assert "topic" in record.query
    assert "owner=alice" in record.query
    assert record.conversation_count is None
    assert exported_ids(response.getvalue()) == [conversations[0].pk]
    record.refresh_from_db()
    assert record.conversation_count == 1


def test_aborted_download_is_recorded_with_the_number_sent(admin_client, conversations, monkeypatch):
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", 1)
    response = export(admin_client)
    next(iter(response))
    assert AccessRecord.objects.get().conversation_count is None
    response._iterator.close()  # The server closes it too, but also closes the connection to the database.
    assert AccessRecord.objects.get().conversation_count == 1


def test_export_fails_if_the_access_cannot_be_recorded(admin_client, conversations):
    def refuse(execute, sql, *arguments):
        if sql.startswith("INSERT"):
            raise DatabaseError("no space left")
        return execute(sql, *arguments)

    admin_client.raise_request_exception = False
    with connection.execute_wrapper(refuse):
        response = export(admin_client)
    assert response.status_code == 500
    assert CONTENT not in response.content.decode()


@pytest.mark.parametrize("codenames", [("view_conversation",), ("view_conversation", "read_content")])
def test_export_requires_the_export_permission(staff_client, conversations, codenames):
    client = staff_client(*codenames)
    for url in (URL, export_url(conversations[0])):
        assert client.get(url).status_code == 403
        assert client.post(url, {"file_format": "csv"}).status_code == 403
    assert "xport" not in client.get(LIST_URL).content.decode()
    assert not AccessRecord.objects.filter(action="export").exists()


@pytest.mark.parametrize("codename", ["export_conversation", "read_content"])
def test_export_requires_the_view_permission(staff_client, codename):
    assert staff_client(codename).post(URL, {"file_format": "csv"}).status_code == 403


@pytest.mark.parametrize("is_switched_off", [False, True])
def test_content_formats_require_the_read_content_permission(staff_client, conversations, settings, is_switched_off):
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = not is_switched_off
    client = staff_client("view_conversation", "export_conversation", *(("read_content",) if is_switched_off else ()))
    for url in (URL, export_url(conversations[0])):
        html = client.get(url).content.decode()
        assert 'value="csv"' in html
        assert 'value="jsonl"' not in html
        assert "Message content is not included" in html
        for file_format in FILE_FORMATS.keys() - {"csv"}:
            response = export(client, file_format, url)
            assert not response.streaming
            assert "Select a valid choice" in response.content.decode()
    assert not AccessRecord.objects.exists()
    text = export(client, "csv").getvalue()
    assert [row[0] for row in rows(text)] == [row.pk for row in conversations]
    assert CONTENT.encode() not in text
    assert AccessRecord.objects.get().conversation_count == 3


def test_text_filters_match_nothing_without_the_read_content_permission(staff_client, admin_client, conversations):
    client = staff_client("view_conversation", "export_conversation", "delete_conversation")
    search = f'"{CONTENT}"'
    if connection.vendor != "mysql":  # Its full-text index finds committed rows only.
        assert len(rows(export(admin_client, "csv", q=search).getvalue())) == 3
        AccessRecord.objects.all().delete()
    assert rows(export(client, "csv", q=search).getvalue()) == []
    assert "<strong>0 conversations" in client.get(URL, {"q": search}).content.decode()
    deletion = client.get(reverse("admin:conversations_conversation_bulk_deletion"), {"q": search}, follow=True)
    assert "There is nothing to delete." in deletion.content.decode()
    assert list(AccessRecord.objects.values_list("conversation_count", flat=True)) == [0]


def test_csv_of_conversations_reads_no_items(admin_client, conversations):
    with CapturedQueries(connection) as queries:
        export(admin_client, "csv").getvalue()
    assert not any("conversations_item" in query["sql"] for query in queries)


@pytest.mark.parametrize("form", [{}, {"file_format": ""}, {"file_format": "xlsx"}])
def test_unknown_format_is_a_form_error(admin_client, conversations, form):
    response = admin_client.post(URL, form)
    assert "Please correct the error" in response.content.decode()
    assert not AccessRecord.objects.exists()


def test_export_without_csrf_token_is_refused(admin_user, conversations):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(URL, {"file_format": "csv"}).status_code == 403


def test_export_confirmation_counts_up_to_the_cap(admin_client, conversations, monkeypatch):
    monkeypatch.setattr(selection, "MAX_COUNT", 2)
    html = admin_client.get(URL).content.decode()
    assert "<strong>2 or more conversations</strong>" in html
    assert len(exported_ids(export(admin_client).getvalue())) == 3


def test_export_confirmation_takes_a_constant_number_of_queries(admin_client, alice):
    def queries() -> int:
        with CapturedQueries(connection) as captured:
            admin_client.get(URL, DEMO)
        return len(captured)

    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    few = queries()
    for _ in range(120):
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    assert queries() == few <= 4


@pytest.mark.slow
def test_memory_does_not_grow_with_the_size_of_the_export(admin_client, alice, monkeypatch):
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", 20)

    def peak(file_format: str) -> int:
        response = export(admin_client, file_format)
        tracemalloc.start()
        for _ in response.streaming_content:
            pass
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    for _ in range(40):
        Conversation.objects.create_with_items(owner=alice, items=items("x" * 10_000))
    for file_format in ("jsonl", "jsonl.gz"):
        peak(file_format)
    small = {file_format: peak(file_format) for file_format in ("jsonl", "jsonl.gz")}
    for _ in range(360):
        Conversation.objects.create_with_items(owner=alice, items=items("x" * 10_000))
    for file_format, before in small.items():
        assert peak(file_format) < before * 1.5


def test_export_is_streamed_under_asgi(admin_user, monkeypatch):
    monkeypatch.setattr(exporter, "CONVERSATIONS_PER_QUERY", 1)
    ids = [Conversation.objects.create_with_items(owner=admin_user, items=items("1")).pk for _ in range(3)]
    client = AsyncClient()
    client.force_login(admin_user)

    async def download() -> list[bytes]:
        response = await client.post(URL, {"file_format": "jsonl"})
        return [chunk async for chunk in response]

    chunks = async_to_sync(download)()
    assert len(chunks) == 3
    assert exported_ids(b"".join(chunks)) == ids
    assert AccessRecord.objects.get().conversation_count == 3
