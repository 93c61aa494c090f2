"""Conversations for the tests of the transcript page."""

import json
from pathlib import Path
from typing import Any

from django.db.models import F, QuerySet

from conversations.models import Conversation, Item
from conversations.schema.items import ITEM_TYPES, validate_items

GOLDEN = Path(__file__).parent.parent / "golden" / "items"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

MARKDOWN = """# A plan

Some *emphasis*, **weight**, `code` and [a link](https://example.org/a).

1. First
2. Second
   - nested

```python
print("hello")
```

> Quoted.

| City | Degrees |
|---|---|
| Zürich | 21 |
"""

TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "What is the weather in Zürich? 🌦️ 👩‍👩‍👧\nAnd in Basel?"},
    {"role": "user", "content": "ما هو الطقس في زيورخ اليوم؟ שלום עולם"},
    {"role": "assistant", "content": MARKDOWN},
    {"type": "function_call_output", "call_id": "call_early", "output": '{"degrees": 21}'},
    {"type": "function_call", "call_id": "call_early", "name": "weather", "arguments": '{"city": "Zürich"}'},
    {"type": "function_call", "call_id": "call_apart", "name": "forecast", "arguments": '{"city": "Basel"}'},
    {"role": "assistant", "content": "word " * 2_000},
    {"type": "function_call_output", "call_id": "call_apart", "output": "rain"},
    {"type": "function_call", "call_id": "call_unanswered", "name": "lost", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_unknown", "output": "nobody asked"},
    {
        "role": "user",
        "content": [
            {"type": "input_image", "image_url": "https://images.example/a.png"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
            {"type": "input_file", "filename": "report.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        ],
    },
]


def transcript_path(conversation: Conversation) -> str:
    return f"/admin/conversations/conversation/{conversation.pk}/change/"


def create_all_item_types(owner: Any, *, examples: int | None = None) -> Conversation:
    """Create a conversation with all golden items, an unknown type, unpaired calls and outputs, and several scripts.

    `examples` limits the number of items of each type.
    """
    conversation = Conversation.objects.create_with_items(
        owner=owner, metadata={"topic": "demo"}, items=validate_items(TALK)
    )
    for item_type in sorted(ITEM_TYPES.keys() - {"item_reference", "compaction_trigger"}):
        for example in json.loads((GOLDEN / f"{item_type}.json").read_text())["accepted"][:examples]:
            conversation.add_items(items=validate_items([example["sent"]]))
    for item_type in ("item_reference", "compaction_trigger"):  # No request stores these types.
        store_item(
            conversation, {"id": f"{item_type}_1", "type": item_type}, item_type=item_type, item_id=f"{item_type}_1"
        )
    store_item(conversation, {"id": "holo_1", "type": "hologram", "beam": {"<b>": ["ü"]}})
    return conversation


def store_item(conversation: Conversation, data: Any, *, item_type: str = "hologram", item_id: str = "holo_1") -> Item:
    """Store an item that no request can store, but a newer version or a restored backup might contain."""
    conversation.update_counters(last_position=F("last_position") + 1, item_count=F("item_count") + 1)
    item = Item(
        conversation=conversation,
        position=conversation.last_position,
        item_id=item_id,
        type=item_type,
        data=data,
        created_at=conversation.created_at,
    )
    [item] = QuerySet(Item).bulk_create([item])
    return item
