"""Export conversations as a file in one of `transfer.formats`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.contrib.auth import get_user_model

from conversations.models import Conversation, ConversationQuerySet, Item
from conversations.schema.query.nodes import EVERYTHING, Query
from conversations.transfer.formats import FORMATS, Format
from conversations.transfer.segments import ConversationSegment

CONVERSATIONS_PER_QUERY = 200
# No more items than these are in memory at a time. The number is small because one item may have many megabytes.
ITEMS_PER_QUERY = 100


class Export:
    """An export as an iterable of byte chunks, for a file or a `StreamingHttpResponse`.

    Conversations are in the order of their ids. There is no snapshot: each is read when the export reaches it. Memory
    use depends neither on the number of conversations nor on that of items. Creating an export raises the errors of
    `ConversationQuerySet.matching`, so that no file is begun for a query that can't be answered.

    `with_items=False` leaves the items out of JSON Lines. Other formats have items or not, whatever it is.
    """

    def __init__(
        self,
        conversations: ConversationQuerySet,
        *,
        query: Query = EVERYTHING,
        format: Format = "jsonl",
        with_items: bool = True,
    ) -> None:
        self.conversations = conversations
        self.query = query
        self.matches = conversations.matching(query)  # for counting; `_pages` reads the conversations
        self.file = FORMATS[format]()
        self.has_items = self.file.has_items and (with_items or format != "jsonl")
        self.conversation_count = self.item_count = 0  # exported so far

    def __iter__(self) -> Iterator[bytes]:
        if beginning := self.file.begin():  # An empty chunk would end a chunked HTTP response.
            yield beginning
        for batch in self._batches():
            self.conversation_count += sum(segment.is_first for segment in batch)
            self.item_count += sum(len(segment.items) for segment in batch)
            if chunk := self.file.write(batch):
                yield chunk
        if rest := self.file.end():
            yield rest

    def _batches(self) -> Iterator[list[ConversationSegment]]:
        """Yield batches that together have every conversation, and every item if the format has items.

        A batch has at most `ITEMS_PER_QUERY` items.
        """
        for conversations in self._pages():
            owners = _usernames(conversations)
            if not self.has_items:
                yield [
                    ConversationSegment(conversation, owners[conversation.owner_id], items=())
                    for conversation in conversations
                ]
                continue
            for group in _group_by_item_count(conversations):
                first = group[0]
                if first.item_count > ITEMS_PER_QUERY:  # It is alone in its group.
                    yield from _read_in_segments(first, owners[first.owner_id])
                else:
                    yield _read_whole(group, owners)

    def _pages(self) -> Iterator[list[Conversation]]:
        """Yield the matching conversations in pages, by keyset pagination."""
        after, has_more = None, True
        while has_more:
            page = self.conversations.page(limit=CONVERSATIONS_PER_QUERY, order="asc", after=after, matching=self.query)
            if page.rows:
                yield page.rows
                after = page.rows[-1].pk
            has_more = page.has_more


def _usernames(conversations: Sequence[Conversation]) -> dict[Any, str]:
    """Return the names of the owners by primary key, also of users that the default manager hides."""
    User = get_user_model()
    users = User._base_manager.using(conversations[0]._state.db)
    owners = users.filter(pk__in={conversation.owner_id for conversation in conversations})
    return dict(owners.values_list("pk", User.USERNAME_FIELD))


def _group_by_item_count(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    """Yield groups of adjacent conversations with at most `ITEMS_PER_QUERY` items in total.

    A conversation with more items than that is a group of its own.
    """
    group: list[Conversation] = []
    count = 0
    for conversation in conversations:
        if group and count + conversation.item_count > ITEMS_PER_QUERY:
            yield group
            group, count = [], 0
        group.append(conversation)
        count += conversation.item_count
    if group:
        yield group


def _read_whole(conversations: list[Conversation], owners: dict[Any, str]) -> list[ConversationSegment]:
    """Read all items of the conversations in one query.

    Items may have been appended or deleted since the conversations were read. Leave out appended ones, and set each
    `item_count` to the number of items read, because an import refuses a conversation with another number of items.
    """
    items: dict[str, list[Item]] = {conversation.pk: [] for conversation in conversations}
    last_positions = {conversation.pk: conversation.last_position for conversation in conversations}
    rows = Item.objects.using(conversations[0]._state.db).filter(conversation__in=conversations)
    for item in rows.order_by("conversation_id", "position"):
        if item.position <= last_positions[item.conversation_id]:
            items[item.conversation_id].append(item)
    for conversation in conversations:
        conversation.item_count = len(items[conversation.pk])
    return [
        ConversationSegment(conversation, owners[conversation.owner_id], items[conversation.pk])
        for conversation in conversations
    ]


def _read_in_segments(conversation: Conversation, owner: str) -> Iterator[list[ConversationSegment]]:
    """Read a conversation in batches of `ITEMS_PER_QUERY` items, without those appended since it was read.

    Its `item_count` is written before all items have been read, so an import refuses the conversation if one of them is
    deleted meanwhile.
    """
    rows = conversation.items.using(conversation._state.db).filter(position__lte=conversation.last_position)
    items_in_order = rows.order_by("position")
    items = list(items_in_order[:ITEMS_PER_QUERY])
    yield [ConversationSegment(conversation, owner, items)]
    while len(items) == ITEMS_PER_QUERY:
        items = list(items_in_order.filter(position__gt=items[-1].position)[:ITEMS_PER_QUERY])
        yield [ConversationSegment(conversation, owner, items, is_first=False)]
