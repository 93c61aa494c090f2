import gzip
import json
from io import BytesIO

import pytest
from django.contrib.auth.models import User

from conversations.transfer import importer
from conversations.transfer.gzip_stream import open_gzip_file
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
    (header(metadata={"a": "\ud800"}), "Invalid 'metadata.a': lone surrogate in a string."),
    (header(item_count=-1), "item_count: Input should be greater than or equal to 0."),
    (header(item_count=True), "item_count: Input should be a valid integer."),
    (header(last_position=2**31), "last_position: Input should be less than or equal to 2147483647."),
    (header(item_count=3), "item_count: 3 items are announced, and 2 follow"),
    (header(item_count=1), "item_count: 1 items are announced, and 2 follow"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_FIRST_LINES)
def test_invalid_conversation_line_is_reported_and_skipped(line, reason, alice):
    outcomes = import_from_lines(*OTHER, line, *CONVERSATION[1:])
    assert outcomes[0].kind == "added"
    assert outcomes[1][:2] == ("bad", 4)
    assert outcomes[1].reason.startswith(reason)
    assert stored_item_counts() == {OTHER_ID: 2}
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
    (item(3, data={"id": "msg_3"}), "Invalid type for 'data.type': expected a string, but got null instead."),
    (item(3, data={"id": "msg_3", "type": ""}), "Invalid type for 'data.type': expected a string"),
    (item(3, data={"id": "msg_3", "type": "t" * 65}), "Invalid 'data.type': string too long."),
    (item(3, data={"id": "msg_3", "type": "t\0"}), "Invalid 'data.type': NUL character in a string."),
    (item(3, data={"id": "msg_\0", "type": "t"}), "Invalid 'data.id': 'msg_\0'. Expected an ID that contains"),
    (item(3, data={"type": "message"}), "Invalid type for 'data.id': expected a string"),
    (item(3, data={"id": "a b", "type": "message"}), "Invalid 'data.id': 'a b'. Expected an ID that contains"),
    (item(3, data={"id": "msg_2", "type": "message"}), "data.id: 'msg_2' is in the conversation already"),
    (item(3, data={"id": "a", "type": "t", "n": [2**64]}), "Invalid 'data.n[0]': integer out of range."),
    (text_of(item(3, data={"id": "a", "type": "t", "n": float("nan")})), "Invalid 'data.n': not a finite number."),
]


@pytest.mark.parametrize("size", [1, 200])
@pytest.mark.parametrize(("line", "reason"), BAD_ITEM_LINES)
def test_invalid_item_line_is_reported_and_its_conversation_not_stored(line, reason, size, alice, monkeypatch):
    monkeypatch.setattr(importer, "ITEMS", size)
    [bad] = import_from_lines(header(), item(2), line)
    assert (bad.kind, bad.line) == ("bad", 3)
    assert bad.reason.startswith(reason)
    assert [len(table) for table in rows()] == [1, 0, 0, 0]


def test_every_invalid_line_is_reported(alice):
    outcomes = import_from_lines(
        header(metadata=[]), item(2), item(0), item(5, data=None), b"x\n", b"\n", *OTHER, b"y\n"
    )
    assert [(outcome.kind, outcome.line) for outcome in outcomes] == [
        ("bad", 1),
        ("bad", 3),
        ("bad", 4),
        ("bad", 5),
        ("added", 7),
        ("bad", 10),
    ]
    assert stored_item_counts() == {OTHER_ID: 2}


def test_orphaned_items_are_reported_once(alice):
    orphan = "an item that does not follow its conversation's line"
    assert reasons(import_from_lines(*CONVERSATION[1:], *OTHER)) == [(1, orphan)]
    assert reasons(import_from_lines(*OTHER, *CONVERSATION[1:])) == [(4, orphan)]
    assert stored_item_counts() == {OTHER_ID: 2}


def test_too_long_line_is_refused_without_reading_it_whole(alice, settings):
    settings.CONVERSATIONS_MAX_BODY_BYTES = 250
    length = len(json.dumps(item(4)))
    fits = item(4, data={**item(4)["data"], "text": "x" * (1000 - length - len(', "text": ""') - 1)})
    assert len(text_of(fits)) == 1000
    assert import_from_lines(header(), item(2), fits) == [Outcome("added", 1, items=2)]
    too_long = b'"' + b"x" * 10_000 + b'"\n'
    assert reasons(import_from_lines(*OTHER, too_long, b"1")) == [
        (4, "longer than 1,000 bytes"),
        (5, "Input should be a valid dictionary."),
    ]
    assert stored_item_counts() == {ID: 2, OTHER_ID: 2}


def test_corrupt_gzip_data_is_reported_as_an_invalid_line(alice):
    whole = gzip.compress(text_of(*OTHER, *CONVERSATION))
    outcomes = list(import_conversations(open_gzip_file(BytesIO(whole[:-20]))))
    assert outcomes[-1].kind == "bad"
    assert "the file can't be read from here on: Compressed file ended" in outcomes[-1].reason
    assert ID not in stored_item_counts()
    [bad] = import_conversations(open_gzip_file(BytesIO(text_of(*CONVERSATION))))
    assert bad[:2] == ("bad", 1)
    assert bad.reason.startswith("the file can't be read from here on: Not a gzipped file")
