"""Input that is not an item of its own: it is never stored under its type, nor returned."""

from typing import Literal, NotRequired

from conversations.schema.types import JSONObject


class ItemReference(JSONObject):
    id: str
    type: Literal["item_reference"]


class CompactionTrigger(JSONObject):
    id: NotRequired[str | None]
    type: Literal["compaction_trigger"]
