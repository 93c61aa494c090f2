import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from conversations import ids
from conversations.errors import APIError


def test_id_is_its_prefix_and_48_lowercase_hex_digits():
    assert re.fullmatch(r"conv_[0-9a-f]{48}", ids.new_id("conv_"))


def test_an_id_begins_with_the_second_of_its_creation():
    before = int(time.time())
    second = int(ids.new_id("msg_").removeprefix("msg_")[:8], 16)
    assert before <= second <= int(time.time())


def test_ids_sort_in_the_order_of_their_creation():
    created_ids = [ids.new_id("msg_") for _ in range(5000)]
    assert created_ids == sorted(created_ids)


def test_ids_created_by_many_threads_differ_in_their_time():
    with ThreadPoolExecutor(8) as pool:
        created_ids = list(pool.map(lambda _: ids.new_id("msg_"), range(5000)))
    assert len({item_id[:20] for item_id in created_ids}) == 5000


def test_creation_time_can_be_read_from_an_id():
    before = datetime.now(UTC) - timedelta(microseconds=1)
    assert before <= ids.created_at(ids.new_id("conv_")) <= datetime.now(UTC)


def test_creation_time_includes_microseconds():
    item_id = f"msg_{1_760_000_000:08x}{123_456_789:08x}" + "0" * 32
    assert ids.created_at(item_id) == datetime.fromtimestamp(1_760_000_000, UTC).replace(microsecond=123_456)


@pytest.mark.parametrize("value", ["msg_1", "msg_", "msg_A-b_9", "msg_" + "x" * 60])
def test_well_formed_ids_are_accepted(value):
    ids.check_id(value, prefix="msg_", path="id")


@pytest.mark.parametrize("value", ["", "a b", "é", "a\n", "a/b", "a" * 65])
def test_ids_with_invalid_characters_or_length_are_not_well_formed(value):
    assert not ids.is_well_formed(value)


@pytest.mark.parametrize(
    ("value", "message", "code"),
    [
        ("fc_1", "Invalid 'items[0].id': 'fc_1'. Expected an ID that begins with 'msg'.", "invalid_value"),
        ("", "Invalid 'items[0].id': ''. Expected an ID that begins with 'msg'.", "invalid_value"),
        (
            "msg_1!",
            "Invalid 'items[0].id': 'msg_1!'. Expected an ID that contains letters, numbers, underscores, or dashes, "
            "but this value contained additional characters.",
            "invalid_value",
        ),
        (
            "msg_" + "x" * 61,
            "Invalid 'items[0].id': string too long. Expected a string with maximum length 64, "
            "but got a string with length 65 instead.",
            "string_above_max_length",
        ),
    ],
)
def test_malformed_ids_are_refused(value, message, code):
    with pytest.raises(APIError) as raised:
        ids.check_id(value, prefix="msg_", path="items[0].id")
    assert (raised.value.message, raised.value.param, raised.value.code) == (message, "items[0].id", code)
