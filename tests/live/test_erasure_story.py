"""A customer asks for erasure, but one conversation is needed as evidence: the whole way, on a running service."""

import gzip
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from django.db import connections

from conversations.models import AccessRecord, Conversation, DeletedConversation
from tests.identity_provider import running_provider
from tests.live.client import Client, user_message
from tests.live.service import Service, manage
from tests.waiting import SECONDS
from tests.word_index import is_in_word_index

CUSTOMER, OTHER = "customer-4711", "customer-9"
MARKER, EVIDENCE, PASSWORD = "zqmarker", "plantedevidence", "xkpassword"
REASON, REDACTION = "Lawsuit 12/26", "A password"
ERASE = f"/admin/conversations/conversation/erase/?end_user={CUSTOMER}"
FORMATS = ("jsonl", "csv", "items-csv", "messages", "markdown", "html")


class Staff:
    """A browser session of a person at the identity provider."""

    def __init__(self, service: Service) -> None:
        self._site = f"http://127.0.0.1:{service.port}"
        self._session = requests.Session()

    def sign_in(self) -> str:
        return self.get("/admin/sign-in/")

    def get(self, path: str, **query: str) -> str:
        response = self._session.get(self._site + path, params=query, timeout=SECONDS)
        assert response.status_code == 200, response.text
        return response.text

    def post(self, path: str, **form: str) -> str:
        """Fill in the form of a page, and send it with the fields that it hides."""
        data = {**dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.get(path))), **form}
        response = self._session.post(self._site + path, data=data, timeout=SECONDS)
        assert response.status_code == 200, response.text
        return response.text


def create(service: Service, end_user: str, *texts: str, **metadata: str) -> str:
    """Create a conversation of an end user by the API, under a key that identifies a repeated request."""
    client = Client(service.port, service.secret)
    client.headers |= {"Conversations-User": end_user, "Idempotency-Key": f"key-{end_user}-{len(texts[0])}"}
    status, body = client.post("/conversations", metadata=metadata, items=[user_message(text) for text in texts])
    client.close()
    assert status == 200, body
    return str(body["id"])


def fork_of(service: Service, conversation_id: str) -> str:
    client = Client(service.port, service.secret)
    status, body = client.post(f"/conversations/{conversation_id}/fork")
    client.close()
    assert status == 200, body
    return str(body["id"])


def page(conversation_id: str, name: str) -> str:
    return f"/admin/conversations/conversation/{conversation_id}/{name}/"


def tables_with(alias: str, text: str) -> list[str]:
    """Return the tables of the database, those of indexes included, in which any column has the text, in any case."""
    connection = connections[alias]
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            if any(text in str(row).lower() for row in cursor.fetchall()):
                found.append(table)
    return found


def trash(alias: str) -> str:
    """Return the copies in the trash as text."""
    copies = DeletedConversation.objects.using(alias).order_by("pk")
    return "".join(gzip.decompress(b"".join(copy.content(using=alias))).decode() for copy in copies)


def export(service: Service, directory: Path, name: str) -> str:
    """Export everything in one format, by the command, and return the file's text."""
    file = directory / f"{name}.gz"
    run = manage("export_conversations", str(file), "--format", name, **service.variables)
    assert run.returncode == 0, run.stderr
    return gzip.decompress(file.read_bytes()).decode()


def entries(alias: str) -> list[dict[str, Any]]:
    records = AccessRecord.objects.using(alias).order_by("pk")
    return list(records.values("username", "action", "conversation_id", "query", "conversation_count", "details"))


@pytest.mark.slow
def test_person_is_erased_but_for_a_held_conversation_and_the_audit_log_tells_it(service, database, tmp_path):
    with running_provider() as provider:
        provider.claims = {"sub": "1", "preferred_username": "ann", "groups": ["privacy"]}
        service.variables |= {
            **provider.settings,
            "OIDC_GROUPS": "privacy=Conversation privacy officers",
            "PASSWORD_LOGIN": "false",
            "CACHE_URL": f"file://{tmp_path / 'cache'}",
            "LOG_LEVEL": "INFO",
            "LOG_REQUESTS": "true",
        }
        service.start()
        plain = create(service, CUSTOMER, f"My secret is {MARKER}.", "Thanks", topic=MARKER)
        held = create(service, CUSTOMER, f"I will sue you: {EVIDENCE}")
        deleted = create(service, CUSTOMER, f"Once more, {MARKER}")
        other = create(service, OTHER, "Hello", f"Log in with {PASSWORD}.")
        fork = fork_of(service, other)

        staff = Staff(service)
        assert "ann" in staff.sign_in()
        found = staff.get("/admin/conversations/conversation/", end_user=CUSTOMER)
        assert [each in found for each in (plain, held, deleted, other)] == [True, True, True, False]
        assert MARKER in staff.get("/admin/conversations/conversation/", end_user=CUSTOMER, q=MARKER)
        assert MARKER in staff.get(page(plain, "change"))
        for row in (deleted, fork):
            staff.post(page(row, "delete"))
        for row in (plain, held):
            assert "is on legal hold now" in staff.post(page(row, "hold"), reason=REASON)
        assert "Released the legal hold" in staff.post(page(plain, "hold"), reason="Another one is meant")
        with database.open() as alias:
            assert {"conversations_item", "conversations_metadatapair"} <= set(tables_with(alias, MARKER))
            assert "conversations_item" in tables_with(alias, PASSWORD)
            assert [text in trash(alias) for text in (MARKER, PASSWORD)] == [True, True]
            assert [is_in_word_index(word, using=alias) for word in (MARKER, PASSWORD)] == [True, True]

        link = re.findall(r'href="([^"]+/redact/)"', staff.get(page(other, "change")))[-1]
        redacted = staff.post(urljoin(page(other, "change"), link), reason=REDACTION)
        assert "Copies that were redacted too: 1." in redacted
        with database.open() as alias:
            assert tables_with(alias, PASSWORD) == []
            assert [text in trash(alias) for text in (MARKER, PASSWORD, REDACTION)] == [True, False, True]

        preview = staff.get(ERASE)
        assert "<strong>2 conversations</strong>" in preview
        assert "<strong>1 conversation</strong> stays, because it is on legal hold" in preview
        receipt = staff.post(ERASE, typed="2")
        rows = dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', receipt))
        assert [rows[name] for name in ("Conversations", "Items", "Deleted conversations")] == ["1", "2", "1"]
        assert "no table refers to the 2 ids of these conversations any more" in receipt
        assert "1 conversation stays, because it is on legal hold" in receipt
        assert not [text for text in (MARKER, EVIDENCE, CUSTOMER) if text in receipt]

        with database.open() as alias:
            is_kept = any(is_in_word_index(word, using=alias) for word in (MARKER, PASSWORD))
        assert is_kept == ("can keep single words of deleted messages" in receipt)
        run = manage("purge_deleted_conversations", "--rebuild-index", **service.variables)
        assert run.returncode == 0, run.stderr

        exports = "".join(export(service, tmp_path, name) for name in FORMATS)
        assert [text in exports for text in (MARKER, PASSWORD, EVIDENCE, REDACTION)] == [False, False, True, True]
        with database.open() as alias:
            assert tables_with(alias, MARKER) == tables_with(alias, PASSWORD) == []
            assert not [text for text in (MARKER, PASSWORD) if text in trash(alias)]
            assert not [word for word in (MARKER, PASSWORD) if is_in_word_index(word, using=alias)]
            assert set(Conversation.objects.using(alias).values_list("pk", flat=True)) == {held, other}
            assert DeletedConversation.objects.using(alias).get().conversation_id == fork
            check_entries(entries(alias), plain=plain, held=held, deleted=deleted, other=other)
        # The log names the person again from here on, because somebody looks for the person.
        found = staff.get("/admin/conversations/conversation/", end_user=CUSTOMER)
        assert [each in found for each in (plain, held, deleted)] == [False, True, False]
        service.interrupt()
        assert service.wait() == 0
        log = service.stdout + service.stderr
        assert "/v1/conversations" in log
        assert not [text for text in (MARKER, EVIDENCE, PASSWORD, CUSTOMER) if text in log]


def check_entries(log: list[dict[str, Any]], *, plain: str, held: str, deleted: str, other: str) -> None:
    """Check that the access log tells who did what, in this order, without content."""
    by_ann = [(entry["action"], entry["conversation_id"]) for entry in log if entry["username"] == "ann"]
    story = [("search", ""), ("read", plain), ("delete", deleted), ("hold", plain), ("hold", held), ("release", plain)]
    story += [("redact", other), ("erasure", "")]
    assert [each for each in dict.fromkeys(by_ann) if each in story] == story, by_ann
    # What was recorded about an erased conversation beside who, when and what is forgotten with it.
    reasons = {entry["conversation_id"]: entry["details"] for entry in log if entry["action"] == "hold"}
    assert (reasons[held]["reason"], reasons[plain]) == (REASON, None)
    [redaction] = [entry["details"] for entry in log if entry["action"] == "redact"]
    assert (redaction["reason"], redaction["copies"]) == (REDACTION, 1)
    [erasure] = [entry for entry in log if entry["action"] == "erasure"]
    receipt = erasure["details"]
    assert receipt["chosen by"] == ["end user"]
    counts = ("conversations", "items", "deleted conversations", "checked", "on legal hold")
    assert [receipt[name] for name in counts] == [1, 2, 1, 2, 1]
    planted = (MARKER, EVIDENCE, PASSWORD, CUSTOMER)
    assert not [entry for entry in log if any(text in json.dumps(entry) for text in planted)]
