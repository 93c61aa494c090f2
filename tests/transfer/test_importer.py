import json
import tracemalloc
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.db import connection

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
    item,
    reasons,
    rows,
    stored,
    take,
    text_of,
)


def exported() -> bytes:
    return b"".join(Export(Conversation.objects.all()))


def test_ids_positions_times_and_counters_are_kept(alice):
    assert take(*CONVERSATION) == [Outcome("added", 1, items=2)]
    assert [json.loads(line) for line in exported().splitlines()] == CONVERSATION
    assert list(MetadataPair.objects.values_list("conversation", "owner", "key", "value")) == [
        (ID, alice.pk, "topic", "demo")
    ]
    [added] = Conversation.objects.get().add_items(items=validate_items([{"role": "user", "content": "5"}]))
    assert added.position == 5


def test_a_second_run_adds_nothing(alice):
    take(*CONVERSATION, *OTHER)
    before = rows()
    assert take(*CONVERSATION, *OTHER) == [Outcome("present", 1), Outcome("present", 4)]
    assert rows() == before


def test_the_same_conversation_twice_in_a_file_is_there_the_second_time(alice):
    empty = header(item_count=0)
    assert [outcome.kind for outcome in take(empty, empty)] == ["added", "present"]


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
def test_one_that_is_there_with_another_content_is_a_conflict_and_stays(lines, what, size, alice, bob, monkeypatch):
    monkeypatch.setattr(importer, "ITEMS", size)
    take(*CONVERSATION)
    before = rows()
    outcomes = take(*lines, *OTHER)
    assert outcomes[0] == Outcome("conflict", 1, reason=f"'{ID}' is there with another {what}")
    assert [outcome.kind for outcome in outcomes] == ["conflict", "added"]
    Conversation.objects.get(pk=OTHER_ID).delete()
    assert rows() == before


def test_empty_lines_a_mark_and_missing_newlines_do_no_harm(alice):
    text = text_of(b"\xef\xbb\xbf", header(), b"\n", item(2), b"  \r\n", item(4)).rstrip()
    assert take(text) == [Outcome("added", 1, items=2)]


@pytest.mark.parametrize("size", [1, 200])
@pytest.mark.parametrize("cut", [1, 2, 4, 5])
def test_a_file_that_was_cut_off_leaves_whole_conversations_only(cut, size, alice, monkeypatch):
    monkeypatch.setattr(importer, "ITEMS", size)
    lines = [*OTHER, *CONVERSATION]
    follow = cut - 1 if cut < 3 else cut - 4
    reason = f"item_count: 2 items are announced, and {follow} follow"
    outcomes = take(*lines[:cut])
    assert reasons(outcomes) == [(1 if cut < 3 else 4, reason)]
    assert stored() == ({} if cut < 3 else {OTHER_ID: 2})
    half = text_of(lines[cut])[:-9]
    assert reasons(take(*lines[:cut], half))[-1][0] == cut + 1
    assert stored() == ({} if cut < 3 else {OTHER_ID: 2})


class Interrupted(BytesIO):
    def __init__(self, text: bytes, lines: int) -> None:
        super().__init__(text)
        self.left = lines

    def readline(self, size: int | None = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().readline(size)


@pytest.mark.parametrize("outcomes", [1, 2])  # of one transaction
@pytest.mark.parametrize("lines", range(6))
def test_an_interrupted_import_leaves_whole_conversations_and_can_be_run_again(lines, outcomes, alice, monkeypatch):
    monkeypatch.setattr(importer, "ITEMS", 1)
    monkeypatch.setattr(importer, "OUTCOMES", outcomes)
    text = text_of(*OTHER, *CONVERSATION)
    with pytest.raises(KeyboardInterrupt):
        list(import_conversations(Interrupted(text, lines)))
    is_stored = outcomes == 1 and lines >= 4  # the fourth line says that the first conversation is complete
    assert stored() == ({OTHER_ID: 2} if is_stored else {})
    assert Item.objects.count() == MetadataPair.objects.count() * 2 == Conversation.objects.count() * 2
    take(text)
    assert stored() == {OTHER_ID: 2, ID: 2}


def test_one_owner_may_be_given_all(alice, bob):
    take(header(owner="nobody"), *CONVERSATION[1:], *OTHER, owner=bob)
    assert set(Conversation.objects.values_list("owner", flat=True)) == {bob.pk}
    assert set(MetadataPair.objects.values_list("owner", flat=True)) == {bob.pk}
    assert [outcome.kind for outcome in take(*CONVERSATION, owner=bob)] == ["present"]
    assert [outcome.kind for outcome in take(*CONVERSATION)] == ["conflict"]


def test_owners_are_created_on_request_and_can_not_log_in(db):
    take(header(owner="ann"), *CONVERSATION[1:], *OTHER[:1], create_users=True)
    ann = User.objects.get()
    assert (ann.username, ann.has_usable_password()) == ("ann", False)
    assert Conversation.objects.get().owner == ann


def test_no_owner_is_created_for_a_conversation_that_is_not_stored(alice):
    take(header(owner="ann"), item(2), item(0), create_users=True)
    take(*CONVERSATION)
    take(header(owner="ben"), *CONVERSATION[1:], create_users=True)
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
def test_owners_that_may_not_be_created_are_refused(username, reason, db):
    assert reasons(take(header(owner=username), *CONVERSATION[1:], create_users=True)) == [(1, reason)]
    assert not User.objects.exists()


def test_nobody_gets_what_belongs_to_a_name_in_other_letters(alice):
    [outcome] = take(header(owner="Alice"), *CONVERSATION[1:], create_users=True)
    if connection.vendor == "mysql":  # where the two can't exist side by side
        assert outcome.reason.startswith("the database refuses it: ")
        assert stored() == {}
    else:
        assert Conversation.objects.get().owner.username == "Alice"


def test_what_another_import_stores_meanwhile_is_refused_and_not_mixed(alice):
    class Late(BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            if b"conversation.item" in (line := super().readline(size)) and not Item.objects.exists():
                other = Conversation.create_with_items(owner=alice, items=[{"type": "message", "id": "msg_2"}])
                Item.objects.filter(conversation=other).update(position=2)
                Item.objects.update(conversation=Conversation.objects.get(pk=ID))
            return line

    [outcome] = import_conversations(Late(text_of(*CONVERSATION)))
    assert outcome.reason.startswith("the database refuses it: ")


@pytest.mark.parametrize(("items", "queries"), [(0, 4), (1, 5), (2, 5), (3, 7), (5, 9)])
def test_queries_of_a_conversation_grow_with_batches_of_items(
    items, queries, alice, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(importer, "ITEMS", 2)
    lines = [header(item_count=items, last_position=items), *(item(n) for n in range(1, items + 1))]
    around = 2 + 2  # the savepoint of the batch, and that of the conversation
    with django_assert_num_queries(around + queries):  # user, conversation, two INSERTs; then lookup and INSERT
        take(*lines)
    with django_assert_num_queries(2 + 2 + -(-items // 2)):
        take(*lines)


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

    peak("a", 2)  # what is imported and cached once
    small = peak("b", 2)
    assert peak("c", 20) < small * 1.5


def test_large_items_are_stored_before_there_are_many(alice, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(importer, "ITEM_BYTES", 100)
    with django_assert_num_queries(2 + 2 + 4 + 1 + 2):
        take(*CONVERSATION)
