import csv
import json
from datetime import UTC, datetime
from io import StringIO

import pytest

from conversations.models import Conversation
from conversations.schema.items import validate_items
from conversations.transfer.formats.csv_rows import FORMULA_STARTS
from tests.transfer.exports import ODD_METADATA, export, messages


def rows(text: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(text.decode("utf-8-sig"), newline="")))


def test_csv_has_a_row_for_each_conversation(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, metadata=ODD_METADATA, items=messages("1"))
    Conversation.objects.update(created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC))
    empty = Conversation.objects.create_with_items(owner=alice)
    text = export(format="csv")
    assert text.startswith(b"\xef\xbb\xbfid,owner,end_user,created_at,item_count,last_item_at,metadata\r\n")
    _, first, second = rows(text)
    assert first[:5] == [conversation.pk, "alice", "", "2026-01-02 03:04:05", "1"]
    assert first[5] == f"{conversation.last_item_at:%Y-%m-%d %H:%M:%S}"
    assert json.loads(first[6]) == ODD_METADATA
    assert second[0] == empty.pk
    assert second[4:] == ["0", "", "{}"]


def test_csv_has_a_row_for_each_item(alice):
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    conversation = Conversation.objects.create_with_items(
        owner=alice, items=[*messages('say "1",\r\n2'), *validate_items([call])]
    )
    text = export(format="items-csv")
    assert text.startswith(b"\xef\xbb\xbfconversation_id,position,item_id,type,role,created_at,text,data\r\n")
    created_at = f"{conversation.created_at:%Y-%m-%d %H:%M:%S}"
    message, call = conversation.items.order_by("position")
    assert [row[:7] for row in rows(text)[1:]] == [
        [conversation.pk, "1", message.item_id, "message", "user", created_at, 'say "1",\r\n2'],
        [conversation.pk, "2", call.item_id, "function_call", "", created_at, ""],
    ]
    assert [json.loads(row[7]) for row in rows(text)[1:]] == [message.data, call.data]


def test_csv_has_nul_escaped_in_the_json_and_replaced_in_other_cells(alice):
    Conversation.objects.create_with_items(owner=alice, items=messages("W\0s"))
    text = export(format="items-csv")
    assert b"\0" not in text
    [row] = rows(text)[1:]
    assert row[6] == "W\ufffds"
    assert json.loads(row[7])["content"][0]["text"] == "W\0s"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_cells_are_never_formulas(start, alice, bob):
    formula = f"{start}HYPERLINK(1)"
    alice.username = formula
    alice.save()
    item = {**messages(formula)[0], "role": formula, "id": "-1"}
    Conversation.objects.create_with_items(owner=alice, items=[item], validate=False)
    [_, conversation], [_, item] = rows(export(format="csv")), rows(export(format="items-csv"))
    assert conversation[1] == f"'{formula}"
    assert (item[2], item[4], item[6]) == ("'-1", f"'{formula}", f"'{formula}")
    assert not any(cell.startswith(FORMULA_STARTS) for cell in conversation + item)


@pytest.mark.parametrize("text", ["", "a=b", "'=1", " =1", "1-1"])
def test_other_csv_cells_are_unchanged(text, alice):
    Conversation.objects.create_with_items(owner=alice, items=messages(text))
    assert rows(export(format="items-csv"))[1][6] == text
