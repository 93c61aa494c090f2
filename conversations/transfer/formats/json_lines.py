"""JSON Lines for import (see `schema.export_format`)."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from conversations.transfer.formats.base import FileFormat
from conversations.transfer.segments import ConversationSegment


class JSONLines(FileFormat):
    def write(self, segments: Iterable[ConversationSegment]) -> bytes:
        return b"".join(line for segment in segments for line in _lines(segment))


def _lines(segment: ConversationSegment) -> Iterator[bytes]:
    conversation = segment.conversation
    if segment.is_first:
        yield json_line(
            {
                "object": "conversation",
                "id": conversation.pk,
                "owner": segment.owner,
                **({} if conversation.end_user is None else {"end_user": conversation.end_user}),
                "created_at": conversation.created_at,
                "metadata": conversation.metadata,
                "item_count": conversation.item_count,
                "last_position": conversation.last_position,
                "last_item_at": conversation.last_item_at,
                **({"forked_from": conversation.forked_from} if conversation.forked_from else {}),
            }
        )
    for item in segment.items:
        yield json_line(
            {
                "object": "conversation.item",
                "conversation_id": conversation.pk,
                "position": item.position,
                "created_at": item.created_at,
                "data": item.data,
            }
        )


def json_line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
