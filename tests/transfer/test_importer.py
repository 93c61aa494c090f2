import json
import tracemalloc
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet

from conversations.models import Conversation, Item, MetadataPair
from conversations.schema.items import validate_items
from conversations.transfer import importer
from conversations.transfer.exporter import Export
from conversations.transfer.importer import Outcome, import_conversations
from tests.transfer.import_lines import (
    CONVERSATION,
    ID,
    OTHER,
    OTHER_ID,
    header,
    import_from_lines,
    item,
    reasons,
    rows,
    stored_item_counts,
    text_of,
)


def export_all() -> bytes:
    return b"".join(Export(Conversation.objects.all()))


def test_import_preserves_ids_positions_times_and_counters(alice):
    assert import_from_lines(*CONVERSATION) == [Outcome("added", 1, items=2)]
    assert [json.loads(line) for line in export_all().splitlines()] == CONVERSATION
    assert list(MetadataPair.objects.values_list("conversation", "owner", "key", "value")) == [
        (ID, alice.pk, "topic", "demo")
    ]
    [added] = Conversation.objects.get().add_items(items=validate_items([{"role": "user", "content": "5"}]))
    assert added.position == 5


def test_a_second_run_adds_nothing(alice):
    import_from_lines(*CONVERSATION, *OTHER)
    before = rows()
    assert import_from_lines(*CONVERSATION, *OTHER) == [Outcome("present", 1), Outcome("present", 4)]
    assert rows() == before


def test_nul_in_items_is_imported_and_lone_surrogates_are_replaced(alice):
    data = {"id": "fc_2", "type": "function_call", "call_id": "c\0", "arguments": "W\0s", "\0": ["\ud800"]}
    lines = [header(), item(2, data=data), item(4)]
    assert import_from_lines(*lines) == [Outcome("added", 1, items=2)]
    stored = Item.objects.get(position=2)
    assert stored.data == data | {"\0": ["\ufffd"]}
    assert stored.call_id == "c\ufffd"
    assert import_from_lines(*lines) == [Outcome("present", 1)]


def test_conversation_repeated_in_a_file_is_reported_as_present(alice):
    empty = header(item_count=0)
    assert [outcome.kind for outcome in import_from_lines(empty, empty)] == ["added", "present"]


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([header(owner="bob"), *CONVERSATION[1:]], "owner"),
        ([header(owner="nobody"), *CONVERSATION[1:]], "owner"),
        ([header(metadata={}), *CONVERSATION[1:]], "metadata"),
        ([header(created_at="2026-01-02T03:04:05.000007Z"), *CONVERSATION[1:]], "created at"),
        ([header(last_position=5), *CONVERSATION[1:]], "last position"),
        ([header(last_item_at=None), *CONVERSATION[1:]], "last item at"),
        ([header(item_count=1), item(2)], "item count"),
        ([header(item_count=3), item(1), *CONVERSATION[1:]], "item count, items"),
        ([header(), item(2), item(3)], "items"),
        ([header(), item(2), item(4, created_at="2026-01-02T03:04:06Z")], "items"),
        ([header(), item(2, data={"id": "msg_2", "type": "message", "a": 1}), item(4)], "items"),
        ([header(owner="bob", metadata={}), item(1), item(4)], "owner, metadata, items"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 200])
def test_existing_conversation_that_differs_is_a_conflict_and_unchanged(lines, what, size, alice, bob, monkeypatch):
    monkeypatch.setattr(importer, "ITEMS", size)
    import_from_lines(*CONVERSATION)
    before = rows()
    outcomes = import_from_lines(*lines, *OTHER)
    assert outcomes[0] == Outcome("conflict", 1, reason=f"'{ID}' exists with a different {what}")
    assert [outcome.kind for outcome in outcomes] == ["conflict", "added"]
    Conversation.objects.get(pk=OTHER_ID).delete()
    assert rows() == before


def test_byte_order_mark_empty_lines_and_missing_newlines_are_accepted(alice):
    text = text_of(b"\xef\xbb\xbf", header(), b"\n", item(2), b"  \r\n", item(4)).rstrip()
    assert import_from_lines(text) == [Outcome("added", 1, items=2)]


@pytest.mark.parametrize("size", [1, 200])
@pytest.mark.parametrize("cut", [1, 2, 4, 5])
def test_truncated_file_imports_only_complete_conversations(cut, size, alice, monkeypatch):
    monkeypatch.setattr(importer, "ITEMS", size)
    lines = [*OTHER, *CONVERSATION]
    follow = cut - 1 if cut < 3 else cut - 4
    reason = f"item_count: 2 items are announced, and {follow} follow"
    outcomes = import_from_lines(*lines[:cut])
    assert reasons(outcomes) == [(1 if cut < 3 else 4, reason)]
    assert stored_item_counts() == ({} if cut < 3 else {OTHER_ID: 2})
    half = text_of(lines[cut])[:-9]
    assert reasons(import_from_lines(*lines[:cut], half))[-1][0] == cut + 1
    assert stored_item_counts() == ({} if cut < 3 else {OTHER_ID: 2})


class Interrupted(BytesIO):
    def __init__(self, text: bytes, lines: int) -> None:
        super().__init__(text)
        self.left = lines

    def readline(self, size: int | None = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().readline(size)


@pytest.mark.parametrize("outcomes", [1, 2])  # per transaction
@pytest.mark.parametrize("lines", range(6))
def test_interrupted_import_stores_complete_conversations_and_can_be_repeated(lines, outcomes, alice, monkeypatch):
    monkeypatch.setattr(importer, "ITEMS", 1)
    monkeypatch.setattr(importer, "OUTCOMES", outcomes)
    text = text_of(*OTHER, *CONVERSATION)
    with pytest.raises(KeyboardInterrupt):
        list(import_conversations(Interrupted(text, lines)))
    is_stored = outcomes == 1 and lines >= 4  # The fourth line ends the first conversation.
    assert stored_item_counts() == ({OTHER_ID: 2} if is_stored else {})
    assert Item.objects.count() == MetadataPair.objects.count() * 2 == Conversation.objects.count() * 2
    import_from_lines(text)
    assert stored_item_counts() == {OTHER_ID: 2, ID: 2}


def test_all_conversations_can_be_assigned_to_one_owner(alice, bob):
    import_from_lines(header(owner="nobody"), *CONVERSATION[1:], *OTHER, owner=bob)
    assert set(Conversation.objects.values_list("owner", flat=True)) == {bob.pk}
    assert set(MetadataPair.objects.values_list("owner", flat=True)) == {bob.pk}
    assert [outcome.kind for outcome in import_from_lines(*CONVERSATION, owner=bob)] == ["present"]
    assert [outcome.kind for outcome in import_from_lines(*CONVERSATION)] == ["conflict"]


def test_owners_created_by_an_import_cannot_log_in(db):
    import_from_lines(header(owner="ann"), *CONVERSATION[1:], *OTHER[:1], create_users=True)
    ann = User.objects.get()
    assert (ann.username, ann.has_usable_password()) == ("ann", False)
    assert Conversation.objects.get().owner == ann


def test_owner_of_a_refused_conversation_is_not_created(alice):
    import_from_lines(header(owner="ann"), item(2), item(0), create_users=True)
    import_from_lines(*CONVERSATION)
    import_from_lines(header(owner="ben"), *CONVERSATION[1:], create_users=True)
    assert User.objects.get() == alice


@pytest.mark.parametrize(
    ("username", "reason"),
    [
        (
            "a b",
            "owner: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
        ),
        ("a" * 151, "owner: Ensure this value has at most 150 characters (it has 151)."),
    ],
)
def test_invalid_usernames_are_refused(username, reason, db):
    assert reasons(import_from_lines(header(owner=username), *CONVERSATION[1:], create_users=True)) == [(1, reason)]
    assert not User.objects.exists()


def test_owner_names_are_case_sensitive(alice):
    [outcome] = import_from_lines(header(owner="Alice"), *CONVERSATION[1:], create_users=True)
    if connection.vendor == "mysql":  # The two users cannot coexist.
        assert outcome.reason == "owner: A user with that username already exists."
        assert stored_item_counts() == {}
    else:
        assert Conversation.objects.get().owner.username == "Alice"


def test_conversation_written_concurrently_is_refused_not_merged(alice):
    class Late(BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            if b"conversation.item" in (line := super().readline(size)) and not Item.objects.exists():
                message = {"role": "user", "content": "2", "id": "msg_2"}
                other = Conversation.objects.create_with_items(owner=alice, items=[message])
                QuerySet(Item).filter(conversation=other).update(position=2)
                QuerySet(Item).update(conversation=Conversation.objects.get(pk=ID))
            return line

    [outcome] = import_conversations(Late(text_of(*CONVERSATION)))
    assert outcome.reason.startswith("the database refuses it: ")


@pytest.mark.parametrize(("items", "queries"), [(0, 4), (1, 5), (2, 5), (3, 7), (5, 9)])
def test_number_of_queries_grows_with_batches_of_items(items, queries, alice, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(importer, "ITEMS", 2)
    lines = [header(item_count=items, last_position=items), *(item(n) for n in range(1, items + 1))]
    savepoints = 2 + 2  # statements that begin and release those of batch and conversation
    with django_assert_num_queries(savepoints + queries):  # user, conversation, two INSERTs; then lookup and INSERT
        import_from_lines(*lines)
    with django_assert_num_queries(2 + 2 + -(-items // 2)):
        import_from_lines(*lines)


@pytest.mark.slow
def test_memory_does_not_grow_with_items_or_conversations(alice, monkeypatch, tmp_path):
    monkeypatch.setattr(importer, "ITEMS", 20)
    monkeypatch.setattr(importer, "OUTCOMES", 5)

    def peak(name: str, number: int) -> int:
        path = tmp_path / name
        with path.open("wb") as file:
            for each in range(number):
                conversation_id = f"conv_{name}{each}"
                count = 20 * number if each == 0 else 1
                file.write(text_of(header(id=conversation_id, item_count=count, last_position=count)))
                for position in range(1, count + 1):
                    data = {"id": f"msg_{position}", "type": "message", "text": "x" * 10_000}
                    file.write(text_of(item(position, conversation_id=conversation_id, data=data)))
        tracemalloc.start()
        try:
            with path.open("rb") as file:
                assert all(outcome.kind == "added" for outcome in import_conversations(file))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak("a", 2)  # Warm up: modules and caches are loaded once.
    small = peak("b", 2)
    assert peak("c", 20) < small * 1.5


def test_large_items_are_flushed_in_smaller_batches(alice, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(importer, "ITEM_BYTES", 100)
    with django_assert_num_queries(2 + 2 + 4 + 1 + 2):
        import_from_lines(*CONVERSATION)
