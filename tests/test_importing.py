import gzip
import json
import tracemalloc
from collections.abc import Iterable
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.db import connection

from conversations import importing
from conversations.exporting import Export
from conversations.importing import Outcome, import_conversations
from conversations.models import Conversation, Item, MetadataPair
from conversations.schema.items import validate_items

ID = "conv_000000000000000000000000000000000000000000000001"


def header(**members) -> dict:
    return {
        "object": "conversation",
        "id": ID,
        "owner": "alice",
        "created_at": "2026-01-02T03:04:05.000006Z",
        "metadata": {"topic": "demo"},
        "item_count": 2,
        "last_position": 4,
        "last_item_at": "2026-01-02T03:04:05Z",
        **members,
    }


def item(position: int, /, **members) -> dict:
    return {
        "object": "conversation.item",
        "conversation_id": ID,
        "position": position,
        "created_at": "2026-01-02T03:04:05Z",
        "data": {"id": f"msg_{position}", "type": "message"},
        **members,
    }


CONVERSATION = [header(), item(2), item(4)]
OTHER_ID = ID.replace("1", "2")
OTHER = [{**line, "conversation_id" if "conversation_id" in line else "id": OTHER_ID} for line in CONVERSATION]


def text_of(*lines: dict | bytes) -> bytes:
    return b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)


def take(*lines: dict | bytes, **options) -> list[Outcome]:
    return list(import_conversations(BytesIO(text_of(*lines)), **options))


def reasons(outcomes: Iterable[Outcome]) -> list[tuple]:
    return [(outcome.line, outcome.reason) for outcome in outcomes if outcome.reason]


def stored() -> dict[str, int]:
    return {conversation.pk: conversation.items.count() for conversation in Conversation.objects.all()}


def rows() -> list[list]:
    return [list(model.objects.order_by("pk").values()) for model in (User, Conversation, Item, MetadataPair)]


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
    monkeypatch.setattr(importing, "ITEMS", size)
    take(*CONVERSATION)
    before = rows()
    outcomes = take(*lines, *OTHER)
    assert outcomes[0] == Outcome("conflict", 1, reason=f"'{ID}' is there with another {what}")
    assert [outcome.kind for outcome in outcomes] == ["conflict", "added"]
    Conversation.objects.get(pk=OTHER_ID).delete()
    assert rows() == before


BAD_FIRST_LINES = [
    (b"{\n", "not JSON: Expecting property name enclosed in double quotes: line 2 column 1 (char 2)"),
    (b'{"a": "\xff"}\n', "not JSON: 'utf-8' codec can't decode byte 0xff in position 7: invalid start byte"),
    (b"[" * 100_000 + b"\n", "not JSON: maximum recursion depth exceeded while decoding a JSON array"),
    (b"[]\n", "Input should be a valid dictionary."),
    ({"object": "response"}, "object: Input should be 'conversation.item'."),
    ({"object": "conversation"}, "id: Field required."),
    (header(surprise=1), "surprise: Extra inputs are not permitted."),
    (header(id="conv_ä"), "Invalid 'id': 'conv_ä'. Expected an ID that contains letters, numbers,"),
    (header(id="msg_1"), "Invalid 'id': 'msg_1'. Expected an ID that begins with 'conv'."),
    (header(id=1), "Invalid type for 'id': expected a string, but got an integer instead."),
    (header(id=ID + "1" * 64), "Invalid 'id': string too long. Expected a string with maximum length 64"),
    (header(owner=None), "owner: Input should be a valid string."),
    (header(owner="ann"), "owner: there is no user 'ann'"),
    (header(owner="ALICE"), "owner: there is no user 'ALICE'"),
    (header(owner="\ud800"), "Invalid 'owner': lone surrogate in a string."),
    (header(created_at=1795357327), "created_at: Value error, Input should be a time such as 2026-"),
    (header(created_at="2026-01-02T03:04:05"), "created_at: Value error, Input should be a time such as"),
    (header(created_at="2026-01-02"), "created_at: Value error, Input should be a time such as 2026-01-01"),
    (header(created_at="0001-01-01T00:00:00+14:00"), "created_at: Value error, Input should be a time such"),
    (header(last_item_at="9999-12-31T23:59:59-14:00"), "last_item_at: Value error, Input should be a time"),
    (header(metadata={"a": 1}), "Invalid type for 'metadata.a': expected a string, but got an integer instead."),
    (header(metadata={str(n): "" for n in range(17)}), "Invalid 'metadata': too many properties."),
    (header(metadata={"k" * 65: ""}), "Invalid property name in 'metadata': 'kkk...kkk' is too long."),
    (header(metadata={"a": "\0"}), "Invalid 'metadata.a': NUL character in a string. Expected text without it."),
    (header(item_count=-1), "item_count: Input should be greater than or equal to 0."),
    (header(item_count=True), "item_count: Input should be a valid integer."),
    (header(last_position=2**31), "last_position: Input should be less than or equal to 2147483647."),
    (header(item_count=3), "item_count: 3 items are announced, and 2 follow"),
    (header(item_count=1), "item_count: 1 items are announced, and 2 follow"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_FIRST_LINES)
def test_a_bad_line_of_a_conversation_is_named_and_the_next_is_stored(line, reason, alice):
    outcomes = take(*OTHER, line, *CONVERSATION[1:])
    assert outcomes[0].kind == "added"
    assert outcomes[1][:2] == ("bad", 4)
    assert outcomes[1].reason.startswith(reason)
    assert stored() == {OTHER_ID: 2}
    assert User.objects.count() == 1


BAD_ITEM_LINES = [
    (b'{"object": "conversation.item", "conve', "not JSON: Unterminated string starting at"),
    (b"null\n", "Input should be a valid dictionary."),
    (item(3, conversation_id=None), "conversation_id: Input should be a valid string."),
    (item(3, position="3"), "position: Input should be a valid integer."),
    (item(0), "position: Input should be greater than or equal to 1."),
    (item(2), "position: 2 after 2"),
    (item(1), "position: 1 after 2"),
    (item(5), "position: 5 is beyond the conversation's last_position"),
    (item(3, created_at="yesterday"), "created_at: Value error, Input should be a time such as"),
    (item(3, extra=1), "extra: Extra inputs are not permitted."),
    (item(3, data=[]), "Invalid type for 'data': expected an object, but got an array instead."),
    (item(3, data={"id": "msg_3"}), "Invalid type for 'data.type': expected a string, but got an object instead."),
    (item(3, data={"id": "msg_3", "type": ""}), "Invalid type for 'data.type': expected a string"),
    (item(3, data={"id": "msg_3", "type": "t" * 65}), "Invalid 'data.type': string too long."),
    (item(3, data={"type": "message"}), "Invalid type for 'data.id': expected a string"),
    (item(3, data={"id": "a b", "type": "message"}), "Invalid 'data.id': 'a b'. Expected an ID that contains"),
    (item(3, data={"id": "msg_2", "type": "message"}), "data.id: 'msg_2' is in the conversation already"),
    (item(3, data={"id": "a", "type": "t", "n": [2**64]}), "Invalid 'data.n[0]': integer out of range."),
    (text_of(item(3, data={"id": "a", "type": "t", "n": float("nan")})), "Invalid 'data.n': not a finite number."),
]


@pytest.mark.parametrize("size", [1, 200])
@pytest.mark.parametrize(("line", "reason"), BAD_ITEM_LINES)
def test_a_bad_item_is_named_and_nothing_of_its_conversation_is_stored(line, reason, size, alice, monkeypatch):
    monkeypatch.setattr(importing, "ITEMS", size)
    [bad] = take(header(), item(2), line)
    assert (bad.kind, bad.line) == ("bad", 3)
    assert bad.reason.startswith(reason)
    assert [len(table) for table in rows()] == [1, 0, 0, 0]


def test_every_bad_line_is_named(alice):
    outcomes = take(header(metadata=[]), item(2), item(0), item(5, data=None), b"x\n", b"\n", *OTHER, b"y\n")
    assert [(outcome.kind, outcome.line) for outcome in outcomes] == [
        ("bad", 1),
        ("bad", 3),
        ("bad", 4),
        ("bad", 5),
        ("added", 7),
        ("bad", 10),
    ]
    assert stored() == {OTHER_ID: 2}


def test_items_without_the_line_of_their_conversation_are_named_once(alice):
    orphan = "an item that does not follow its conversation's line"
    assert reasons(take(*CONVERSATION[1:], *OTHER)) == [(1, orphan)]
    assert reasons(take(*OTHER, *CONVERSATION[1:])) == [(4, orphan)]
    assert stored() == {OTHER_ID: 2}


def test_empty_lines_a_mark_and_missing_newlines_do_no_harm(alice):
    text = text_of(b"\xef\xbb\xbf", header(), b"\n", item(2), b"  \r\n", item(4)).rstrip()
    assert take(text) == [Outcome("added", 1, items=2)]


def test_a_line_that_is_too_long_is_not_read_into_memory(alice, settings):
    settings.CONVERSATIONS_MAX_BODY_BYTES = 250
    length = len(json.dumps(item(4)))
    fits = item(4, data={**item(4)["data"], "text": "x" * (1000 - length - len(', "text": ""') - 1)})
    assert len(text_of(fits)) == 1000
    assert take(header(), item(2), fits) == [Outcome("added", 1, items=2)]
    too_long = b'"' + b"x" * 10_000 + b'"\n'
    assert reasons(take(*OTHER, too_long, b"1")) == [
        (4, "longer than 1,000 bytes"),
        (5, "Input should be a valid dictionary."),
    ]
    assert stored() == {ID: 2, OTHER_ID: 2}


@pytest.mark.parametrize("size", [1, 200])
@pytest.mark.parametrize("cut", [1, 2, 4, 5])
def test_a_file_that_was_cut_off_leaves_whole_conversations_only(cut, size, alice, monkeypatch):
    monkeypatch.setattr(importing, "ITEMS", size)
    lines = [*OTHER, *CONVERSATION]
    follow = cut - 1 if cut < 3 else cut - 4
    reason = f"item_count: 2 items are announced, and {follow} follow"
    outcomes = take(*lines[:cut])
    assert reasons(outcomes) == [(1 if cut < 3 else 4, reason)]
    assert stored() == ({} if cut < 3 else {OTHER_ID: 2})
    half = text_of(lines[cut])[:-9]
    assert reasons(take(*lines[:cut], half))[-1][0] == cut + 1
    assert stored() == ({} if cut < 3 else {OTHER_ID: 2})


def test_what_can_not_be_decompressed_further_is_a_bad_line(alice):
    whole = gzip.compress(text_of(*OTHER, *CONVERSATION))
    outcomes = list(import_conversations(gzip.GzipFile(fileobj=BytesIO(whole[:-20]))))
    assert outcomes[-1].kind == "bad"
    assert "the file can't be read from here on: Compressed file ended" in outcomes[-1].reason
    assert ID not in stored()
    [bad] = import_conversations(gzip.GzipFile(fileobj=BytesIO(text_of(*CONVERSATION))))
    assert bad[:2] == ("bad", 1)
    assert bad.reason.startswith("the file can't be read from here on: Not a gzipped file")


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
    monkeypatch.setattr(importing, "ITEMS", 1)
    monkeypatch.setattr(importing, "OUTCOMES", outcomes)
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
    monkeypatch.setattr(importing, "ITEMS", 2)
    lines = [header(item_count=items, last_position=items), *(item(n) for n in range(1, items + 1))]
    around = 2 + 2  # the savepoint of the batch, and that of the conversation
    with django_assert_num_queries(around + queries):  # user, conversation, two INSERTs; then lookup and INSERT
        take(*lines)
    with django_assert_num_queries(2 + 2 + -(-items // 2)):
        take(*lines)


def test_memory_does_not_grow_with_items_or_conversations(alice, monkeypatch, tmp_path):
    monkeypatch.setattr(importing, "ITEMS", 20)
    monkeypatch.setattr(importing, "OUTCOMES", 5)

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
    monkeypatch.setattr(importing, "ITEM_BYTES", 100)
    with django_assert_num_queries(2 + 2 + 4 + 1 + 2):
        take(*CONVERSATION)
