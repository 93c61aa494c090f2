"""The ledger finds each kind of damage, and none in what is right."""

from copy import deepcopy
from dataclasses import dataclass

import pytest

from tests.live.faults.ledger import (
    DOUBLED,
    HALF_WRITTEN,
    LOST,
    MISREAD,
    Append,
    History,
    OwnConversation,
    Read,
    StoredConversation,
    StoredItem,
    check_answer,
    check_history,
    check_own,
)


@dataclass
class Example:
    """What clients know and what is stored. Everything was acknowledged, and nothing is wrong."""

    own: OwnConversation
    history: History
    stored: list[StoredConversation]  # with the token of `own`
    stored_history: StoredConversation

    def find_kinds(self) -> set[str]:
        problems = [*check_own(self.own, self.stored), *check_history(self.history, self.stored_history)]
        return {problem.kind for problem in problems}


def stored_conversation(conversation_id, texts):
    items = [StoredItem(position, f"id of {text}", text) for position, text in enumerate(texts, start=1)]
    metadata = {"token": "t", "step": "1"}
    return StoredConversation(conversation_id, metadata, metadata.copy(), len(texts), len(texts), items)


def append(*texts, at):
    return Append(list(texts), at, acknowledged_at=at + 1, ids=[f"id of {text}" for text in texts])


@pytest.fixture
def example():
    created = append("a", "b", at=1)
    created.ids = []
    own = OwnConversation("t", id="conv_1", appends=[created, append("c", "d", at=3)], sent_step=1, step=1)
    history = History("conv_2", appends=[append("e", "f", at=1), append("g", at=3)])
    ids = ["id of e", "id of f", "id of g"]
    history.reads = [
        Read(2.5, ids[:2], is_complete=True),
        Read(5, ids, is_complete=True),
        Read(5, [], is_complete=False),
    ]
    return Example(
        own, history, [stored_conversation("conv_1", "abcd")], stored_conversation("conv_2", ["e", "f", "g"])
    )


def lose_conversation(example):
    example.stored.clear()


def replace_conversation(example):
    example.stored[0].id = "conv_3"


def lose_append(example):
    example.stored[0] = stored_conversation("conv_1", "ab")


def lose_one_item_of_an_append(example):
    example.stored[0] = stored_conversation("conv_1", "abc")


def lose_update(example):
    example.stored[0].metadata["step"] = example.stored[0].indexed_metadata["step"] = "0"


def lose_deletion(example):
    example.own.is_deletion_sent = example.own.is_deleted = True


def lose_deletion_of_an_item(example):
    example.own.deleted_items["id of d"] = True


def lose_history(example):
    example.stored_history = None


def store_conversation_twice(example):
    example.stored.append(stored_conversation("conv_3", "abcd"))


def store_append_twice(example):
    example.stored[0] = stored_conversation("conv_1", "abcdcd")


def answer_with_ids_that_are_not_stored(example):
    example.own.appends[1].ids = ["id of x", "id of y"]


def store_half_of_an_append(example):
    example.own.appends[1].acknowledged_at, example.own.appends[1].ids = None, []
    example.stored[0] = stored_conversation("conv_1", "abc")


def leave_metadata_out_of_the_index(example):
    example.stored[0].indexed_metadata.clear()


def count_wrong(example):
    example.stored[0].item_count += 1


def leave_a_gap(example):
    example.stored_history.items[2] = StoredItem(4, "id of g", "g")
    example.stored_history.last_position = 4


def separate_the_items_of_an_append(example):
    example.stored_history = stored_conversation("conv_2", ["e", "g", "f"])
    example.history.reads.clear()


def put_a_later_append_first(example):
    example.stored_history = stored_conversation("conv_2", ["g", "e", "f"])
    example.history.reads.clear()


def read_items_in_another_order(example):
    example.history.reads[1].ids.reverse()


def miss_an_item_in_the_middle(example):
    del example.history.reads[2].ids[:]
    example.history.reads[2].ids += ["id of e", "id of g"]


def read_without_what_was_acknowledged(example):
    example.history.reads[0].ids.clear()


DAMAGES = {
    LOST: [
        *(lose_conversation, replace_conversation, lose_append, lose_one_item_of_an_append, lose_update),
        *(lose_deletion, lose_deletion_of_an_item, lose_history, answer_with_ids_that_are_not_stored),
    ],
    DOUBLED: [store_conversation_twice, store_append_twice],
    HALF_WRITTEN: [store_half_of_an_append, leave_metadata_out_of_the_index, count_wrong, leave_a_gap],
    MISREAD: [
        *(separate_the_items_of_an_append, put_a_later_append_first, read_items_in_another_order),
        *(miss_an_item_in_the_middle, read_without_what_was_acknowledged),
    ],
}


@pytest.mark.parametrize(
    ("kind", "damage"), [pytest.param(kind, each, id=each.__name__) for kind in DAMAGES for each in DAMAGES[kind]]
)
def test_ledger_finds_damage(example, kind, damage):
    assert example.find_kinds() == set()
    damage(example)
    assert kind in example.find_kinds()


def test_write_that_was_not_acknowledged_may_be_stored_or_not(example):
    example.own.id, example.own.step = None, 0
    for each in (*example.own.appends, *example.history.appends):
        each.acknowledged_at, each.ids = None, []
    example.own.deleted_items["id of d"] = False
    example.own.is_deletion_sent = True
    assert example.find_kinds() == set()
    example.history.reads.clear()
    example.stored.clear()
    example.stored_history = stored_conversation("conv_2", [])
    assert example.find_kinds() == set()


def test_answers_that_differ_from_the_rows_are_found(example):
    [stored] = deepcopy(example.stored)
    ids = [item.id for item in stored.items]
    assert list(check_answer(stored, ids=ids, metadata=stored.metadata)) == []
    for wrong in ({"ids": ids[:-1]}, {"metadata": {}}):
        [problem] = check_answer(stored, **({"ids": ids, "metadata": stored.metadata} | wrong))
        assert problem.kind == MISREAD
