import json
from collections.abc import Iterable
from io import BytesIO

from django.contrib.auth.models import User

from conversations.models import Conversation, Item, MetadataPair
from conversations.transfer.importer import Outcome, import_conversations

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


def import_from_lines(*lines: dict | bytes, **options) -> list[Outcome]:
    return list(import_conversations(BytesIO(text_of(*lines)), **options))


def reasons(outcomes: Iterable[Outcome]) -> list[tuple]:
    return [(outcome.line, outcome.reason) for outcome in outcomes if outcome.reason]


def stored_item_counts() -> dict[str, int]:
    return {conversation.pk: conversation.items.count() for conversation in Conversation.objects.all()}


def rows() -> list[list]:
    return [list(model.objects.order_by("pk").values()) for model in (User, Conversation, Item, MetadataPair)]
