"""Invented conversations of a shop's support assistant, which the pictures of the documentation show."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from random import Random
from typing import Any

import orjson

from conversations import ids
from conversations.schema.items import item_id_prefix, validate_items
from conversations.transfer.importer import import_conversations

NEWEST = datetime(2026, 11, 24, 16, 42, 7, tzinfo=UTC)

QUESTIONS = [
    ("delivery", "Where is my order? It should have been here on Monday."),
    ("returns", "Can I return shoes that I have worn once, indoors?"),
    ("billing", "You charged my card twice for the same invoice."),
    ("delivery", "Can you send the parcel to my office instead?"),
    ("account", "I can't log in since I changed my e-mail address."),
    ("returns", "The jacket is too small. Do you have it in L?"),
    ("billing", "Please add our VAT number to the last three invoices."),
    ("delivery", "The tracking page has not changed for four days."),
    ("account", "How do I add a colleague to our team's plan?"),
    ("returns", "One of the two lamps arrived broken."),
]
CUSTOMERS = [
    ("acme", "enterprise"),
    ("zenith", "team"),
    ("northwind", "free"),
    ("contoso", "enterprise"),
    ("fabrikam", "team"),
]
ANSWER = """I'm sorry for the delay! Your parcel left our warehouse on Friday and is **in transit**:

| Step | Day |
|---|---|
| Handed to the carrier | Friday, 20 November |
| Sorted in Leipzig | Monday, 23 November |
| Delivery | **Wednesday, 25 November** |

I have credited the shipping fee of €4.90 to your account."""
TRANSCRIPT: list[dict[str, Any]] = [
    {"role": "user", "content": QUESTIONS[0][1]},
    {
        "type": "function_call",
        "call_id": "call_S2X9KuEJpYvFcF4hgv1XwM0j",
        "name": "find_shipment",
        "arguments": '{"order_id": "A-6735"}',
    },
    {
        "type": "function_call",
        "call_id": "call_9bTq3WcV7sKfJm2DzYhR5uNe",
        "name": "find_driver",
        "arguments": '{"order_id": "A-6735"}',
    },
    {
        "type": "function_call_output",
        "call_id": "call_S2X9KuEJpYvFcF4hgv1XwM0j",
        "output": '{"status": "in_transit", "expected": "2026-11-25"}',
    },
    {
        "type": "function_call_output",
        "call_id": "call_9bTq3WcV7sKfJm2DzYhR5uNe",
        "output": '{"error": "The driver of this tour has no telephone number."}',
    },
    {"role": "assistant", "content": ANSWER},
    {"role": "user", "content": "Thank you, that was quick!"},
]


def import_demo() -> str:
    """Store the conversations, and return the id of the newest one."""
    lines = list(_lines())
    outcomes = list(import_conversations(BytesIO(b"\n".join(map(orjson.dumps, lines))), create_users=True))
    assert {outcome.kind for outcome in outcomes} == {"added"}, outcomes
    return max(line["id"] for line in lines if line["object"] == "conversation")


def _lines() -> Iterator[dict[str, Any]]:
    random = Random(7)
    created_at = NEWEST
    for number in range(240):
        topic, question = QUESTIONS[number % len(QUESTIONS)]
        tenant, plan = CUSTOMERS[(number * 3 + number // len(QUESTIONS)) % len(CUSTOMERS)]
        conversation_id = _id(ids.CONVERSATION_PREFIX, created_at, random)
        items = validate_items(TRANSCRIPT if number == 0 else _short_transcript(question))
        times = [created_at + timedelta(seconds=4 * position) for position in range(len(items))]
        yield {
            "object": "conversation",
            "id": conversation_id,
            "owner": "support-bot" if number % 4 else "sales-bot",
            "created_at": created_at,
            "metadata": {"tenant": tenant, "plan": plan, "topic": topic, "order_id": f"A-{6735 - number}"},
            "item_count": len(items),
            "last_position": len(items),
            "last_item_at": times[-1],
        }
        for position, (item, time) in enumerate(zip(items, times, strict=True), start=1):
            item_id = _id(item_id_prefix(item["type"]), time, random)
            yield {
                "object": "conversation.item",
                "conversation_id": conversation_id,
                "position": position,
                "created_at": time,
                "data": {"id": item_id, **item},
            }
        created_at -= timedelta(minutes=random.randint(9, 140), seconds=random.randint(0, 59))


def _short_transcript(question: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": "Let me look into that for you."}]


def _id(prefix: str, time: datetime, random: Random) -> str:
    return ids.compose_id(prefix, nanoseconds=int(time.timestamp()) * 1_000_000_000, bits=random.getrandbits(128))
