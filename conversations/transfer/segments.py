"""The unit that an export is made of: a conversation with some of its items."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from conversations.models import Conversation, Item


class ConversationSegment(NamedTuple):
    """A conversation with all of its items, or with some consecutive items of it if it is long."""

    conversation: Conversation
    owner: str  # user name
    items: Sequence[Item]
    is_first: bool = True  # whether the conversation itself is still to be written


def format_time(time: datetime | None) -> str:
    """Return the time in UTC, to the second, or an empty string for None."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time else ""
