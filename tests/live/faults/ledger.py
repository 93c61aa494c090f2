"""A ledger of what clients wrote and read during a fault, and its comparison with what is stored afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

LOST, DOUBLED, HALF_WRITTEN, MISREAD = "lost", "doubled", "half-written", "misread"


class Problem(NamedTuple):
    kind: str
    description: str


class StoredItem(NamedTuple):
    position: int
    id: str
    text: str


@dataclass
class StoredConversation:
    id: str
    metadata: dict[str, str]
    indexed_metadata: dict[str, str]
    item_count: int
    last_position: int
    items: list[StoredItem]  # in their order


@dataclass
class Append:
    """A request that adds items, perhaps with their conversation."""

    texts: list[str]
    started_at: float
    acknowledged_at: float | None = None
    ids: list[str] = field(default_factory=list)  # from the answer; that of a create has none


@dataclass
class OwnConversation:
    """A conversation that one client writes. Nothing follows a request that was not acknowledged."""

    token: str  # in the metadata, which are known before the id
    id: str | None = None
    appends: list[Append] = field(default_factory=list)
    sent_step: int = 0  # the number in the metadata, which each update raises
    step: int = 0  # the last number that was acknowledged
    deleted_items: dict[str, bool] = field(default_factory=dict)  # whether the deletion was acknowledged, by id
    is_deletion_sent: bool = False
    is_deleted: bool = False


@dataclass
class Read:
    """The ids of a history's items that a client has read, page by page, from the first one on."""

    started_at: float
    ids: list[str]
    is_complete: bool  # False if a page could not be read


@dataclass
class History:
    """A conversation that all clients append to, and nobody deletes from."""

    id: str
    appends: list[Append] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)


def check_own(own: OwnConversation, stored: Sequence[StoredConversation]) -> Iterator[Problem]:
    """Compare the conversations that have this token with what their client knows."""
    if len(stored) > 1:
        yield Problem(DOUBLED, f"conversation {own.token} is stored {len(stored)} times")
    if not stored:
        if own.id and not own.is_deletion_sent:
            yield Problem(LOST, f"conversation {own.id} is gone")
        return
    [conversation, *_] = stored
    if own.is_deleted:
        yield Problem(LOST, f"conversation {own.id} is still there after its deletion")
        return
    if own.id and conversation.id != own.id:
        yield Problem(LOST, f"conversation {own.id} is gone, but {conversation.id} is there")
    yield from check_rows(conversation)
    step = int(conversation.metadata["step"])
    if not own.step <= step <= own.sent_step:
        yield Problem(LOST, f"step {own.step} of conversation {own.id} is gone")
    ids = {item.id for item in conversation.items}
    for item_id, is_acknowledged in own.deleted_items.items():
        if is_acknowledged and item_id in ids:
            yield Problem(LOST, f"item {item_id} is still there after its deletion")
    yield from _check_appends(own.appends, conversation, missing=own.deleted_items)


def check_history(history: History, stored: StoredConversation | None) -> Iterator[Problem]:
    """Check that the appends were executed one after the other, and that each read shows a prefix of their order."""
    if stored is None:
        yield Problem(LOST, f"history {history.id} is gone")
        return
    yield from check_rows(stored)
    if [item.position for item in stored.items] != list(range(1, stored.item_count + 1)):
        yield Problem(HALF_WRITTEN, f"history {stored.id} has gaps between its positions")
    yield from _check_appends(history.appends, stored)
    yield from _check_order(history.appends, stored)
    ids = [item.id for item in stored.items]
    positions = {item.id: item.position for item in stored.items}
    acknowledged = sorted(
        (each.acknowledged_at, positions.get(each.ids[-1], 0)) for each in history.appends if each.acknowledged_at
    )
    for read in history.reads:
        if read.ids != ids[: len(read.ids)]:
            yield Problem(MISREAD, f"a read of {stored.id} is no prefix of the order")
        expected = max((position for ended_at, position in acknowledged if ended_at < read.started_at), default=0)
        if read.is_complete and len(read.ids) < expected:
            yield Problem(MISREAD, f"a read of {stored.id} has {len(read.ids)} items, but {expected} were acknowledged")


def check_rows(stored: StoredConversation) -> Iterator[Problem]:
    """Compare the rows of one conversation with each other."""
    if stored.metadata != stored.indexed_metadata:
        yield Problem(HALF_WRITTEN, f"the metadata index of {stored.id} has {stored.indexed_metadata}")
    if stored.item_count != len(stored.items):
        yield Problem(HALF_WRITTEN, f"{stored.id} has {len(stored.items)} items, but counts {stored.item_count}")
    if stored.items and stored.items[-1].position > stored.last_position:
        yield Problem(HALF_WRITTEN, f"{stored.id} has items beyond its last position")


def check_answer(stored: StoredConversation, *, ids: Sequence[str], metadata: dict[str, str]) -> Iterator[Problem]:
    """Compare what the API answers with the rows."""
    if list(ids) != [item.id for item in stored.items] or metadata != stored.metadata:
        yield Problem(MISREAD, f"the API shows {stored.id} with other items or metadata than the database has")


def _check_appends(
    appends: Iterable[Append], stored: StoredConversation, *, missing: Iterable[str] = ()
) -> Iterator[Problem]:
    texts: dict[str, list[StoredItem]] = {}
    for item in stored.items:
        texts.setdefault(item.text, []).append(item)
    for append in appends:
        found = [texts.get(text, []) for text in append.texts]
        if doubles := sum(len(items) > 1 for items in found):
            yield Problem(DOUBLED, f"{doubles} items of {append.texts} in {stored.id}")
        expected = [text for text, item_id in _with_ids(append) if item_id not in missing]
        present = [text for text in expected if text in texts]
        if append.acknowledged_at and len(present) < len(expected):
            yield Problem(LOST, f"{len(expected) - len(present)} items of {append.texts} in {stored.id}")
        elif 0 < len(present) < len(expected):
            yield Problem(HALF_WRITTEN, f"{len(present)} items of {append.texts} in {stored.id}")
        for text, item_id in _with_ids(append):
            if item_id not in {None, *missing} and texts.get(text) and texts[text][0].id != item_id:
                yield Problem(LOST, f"item {item_id} in {stored.id}, whose text has another id")


def _with_ids(append: Append) -> Iterator[tuple[str, str | None]]:
    ids = append.ids or [None] * len(append.texts)
    return zip(append.texts, ids, strict=True)


def _check_order(appends: Iterable[Append], stored: StoredConversation) -> Iterator[Problem]:
    """Check that the items of an append are adjacent, and that no append precedes one that had ended when it began."""
    positions = {item.text: item.position for item in stored.items}
    in_order = sorted(
        (each for each in appends if each.texts[0] in positions), key=lambda each: positions[each.texts[0]]
    )
    latest_start = 0.0
    for append in in_order:
        first = positions[append.texts[0]]
        if [positions.get(text) for text in append.texts] != list(range(first, first + len(append.texts))):
            yield Problem(MISREAD, f"the items of {append.texts} in {stored.id} are not adjacent")
        if append.acknowledged_at and append.acknowledged_at < latest_start:
            yield Problem(MISREAD, f"{append.texts} in {stored.id} follow items of a later request")
        latest_start = max(latest_start, append.started_at)
