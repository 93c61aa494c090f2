"""The items of made-up conversations."""

from collections.abc import Iterator
from random import Random
from typing import Any

from conversations.schema.items import validate_items

TURNS = [
    ("user", "assistant"),
    ("user", "reasoning", "assistant"),
    ("user", "call", "output", "assistant"),
    ("user", "reasoning", "call", "output", "assistant"),
]
TURN_WEIGHTS = [0.60, 0.80, 0.95, 1.00]  # cumulative
EXCHANGES = [
    {
        "user": "Where is my order? It should have been here on Monday.",
        "reasoning": "**Looking up the order**\n\nThe customer wants a delivery date, so I need the carrier's status.",
        "call": ("find_shipment", '{"carrier":"any"}', '{"status":"in_transit","expected":"Thursday"}'),
        "assistant": "Your parcel is on its way and should arrive on Thursday. Sorry for the delay!",
    },
    {
        "user": "Wie lange habe ich Zeit, die Schuhe in Größe 42 zurückzugeben?",
        "reasoning": "**Rückgabefrist prüfen**\n\nSchuhe fallen unter die gewöhnliche Frist.",
        "call": ("get_policy", '{"topic":"Rückgabe"}', "30 Tage ab Zustellung"),
        "assistant": "Sie haben 30 Tage ab der Zustellung. Das Rücksendeetikett liegt dem Paket bei.",
    },
    {
        "user": "请帮我查一下明天东京的天气。",
        "reasoning": "**查询天气**\n\n需要明天的预报。",
        "call": ("get_weather", '{"city":"东京","day":"tomorrow"}', '{"high":18,"low":11,"sky":"sunny"}'),
        "assistant": "明天东京晴, 气温 11 到 18 °C。☀️",
    },
    {
        "user": 'Why does `SELECT "name" FROM users WHERE id = 1 OR 1=1` return every row?',
        "reasoning": "**Explaining the condition**\n\n`1=1` is always true, so the whole WHERE clause is.",
        "call": ("run_query", '{"sql":"SELECT 1 = 1"}', "[[true]]"),
        "assistant": "Because `1=1` is true for each row:\n\n```sql\nWHERE id = 1 OR TRUE\n```\n\nDrop that part.",
    },
    {
        "user": "Thanks 🙏",
        "reasoning": "**Closing politely**\n\nNothing more is asked.",
        "call": ("close_ticket", "{}", ""),
        "assistant": "You're welcome! 😊",
    },
]


def random_items(random: Random, count: int) -> Iterator[dict[str, Any]]:
    """Yield the JSON of `count` items: turns of user and assistant, the last one perhaps without its answer."""
    while count:
        [turn] = random.choices(TURNS, cum_weights=TURN_WEIGHTS)
        if len(turn) > count:
            turn = ("user", "assistant")[:count]
        count -= len(turn)
        templates = random.choice(TEMPLATES)
        call = {"call_id": f"call_{random.getrandbits(96):024x}"} if "call" in turn else {}
        for part in turn:
            yield {**templates[part], **call} if part in ("call", "output") else templates[part]


def _templates(exchange: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a validated item for each part of a turn. The caller replaces its id and the call's id."""
    name, arguments, output = exchange["call"]
    items = {
        "user": {"id": "msg_", "role": "user", "content": exchange["user"]},
        "reasoning": {
            "id": "rs_",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": exchange["reasoning"]}],
        },
        "call": {"id": "fc_", "type": "function_call", "call_id": "call_", "name": name, "arguments": arguments},
        "output": {"id": "fc_", "type": "function_call_output", "call_id": "call_", "output": output},
        "assistant": {"id": "msg_", "role": "assistant", "content": exchange["assistant"]},
    }
    return dict(zip(items, validate_items(list(items.values())), strict=True))


TEMPLATES = [_templates(exchange) for exchange in EXCHANGES]
