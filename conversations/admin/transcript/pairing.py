"""Pairs calls with their outputs, which may be apart, out of order or on different pages of the transcript."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from conversations.admin.transcript.item import TranscriptItem
from conversations.models import ItemQuerySet
from conversations.schema.call_balance import CALL_TYPES
from conversations.schema.items import ITEM_TYPES

OUTPUT_TYPES: Mapping[str, str] = {
    name: item_type.output_type for name, item_type in ITEM_TYPES.items() if item_type.output_type
}


def pair(items: Sequence[TranscriptItem], stored_items: ItemQuerySet, item_url: Callable[[str], str]) -> None:
    """Pair the calls and outputs of a page, and query counterparts on other pages only for the unpaired ones."""
    _link_other_pages(pair_page(items), {item.item_id for item in items}, stored_items, item_url)


def pair_page(items: Sequence[TranscriptItem]) -> list[TranscriptItem]:
    """Pair the calls and outputs of a page with each other, and return those that have no counterpart there."""
    calls = [item for item in items if item.type in OUTPUT_TYPES]
    for output in items:
        if output.type in CALL_TYPES and (call := _find_call(output, calls, items)):
            output.call = call
            call.outputs.append(output)
    unpaired_calls = [call for call in calls if not call.outputs]
    unpaired_outputs = [item for item in items if item.type in CALL_TYPES and not item.call]
    return [item for item in unpaired_calls + unpaired_outputs if not _is_server_side_tool_search(item)]


def _link_other_pages(
    unpaired: Sequence[TranscriptItem],
    page_item_ids: set[str],
    stored_items: ItemQuerySet,
    item_url: Callable[[str], str],
) -> None:
    keys = {(_counterpart_type(item), key) for item in unpaired if (key := item.call_id)}
    rows = stored_items.with_call_ids(keys) if keys else []
    for item in unpaired:
        counterpart = (_counterpart_type(item), item.call_id)
        matches = [row for row in rows if (row.type, row.call_id) == counterpart and row.item_id not in page_item_ids]
        item.counterpart_links = [(row.position, item_url(row.item_id)) for row in matches]
        item.is_orphan = not matches


def _find_call(
    output: TranscriptItem, calls: Iterable[TranscriptItem], items: Sequence[TranscriptItem]
) -> TranscriptItem | None:
    """Return the nearest earlier call that has no output yet, or else a later one, or else one that has an output."""
    key = output.call_id
    candidates = [call for call in calls if key and call.type == CALL_TYPES[output.type] and call.call_id == key]
    earlier = [call for call in candidates if call.position < output.position]
    unpaired = [call for call in candidates if not call.outputs]
    unpaired_earlier = [call for call in earlier if not call.outputs]
    nearest = unpaired_earlier[-1:] or unpaired or earlier[-1:] or candidates
    return nearest[0] if nearest else _preceding_shell_call(output, items)


def _preceding_shell_call(output: TranscriptItem, items: Sequence[TranscriptItem]) -> TranscriptItem | None:
    """Return the local shell call just before its output, whose id may name no call."""
    if output.type != "local_shell_call_output":
        return None
    earlier = [item for item in items if item.position < output.position][-1:]
    return earlier[0] if earlier and earlier[0].type == "local_shell_call" and not earlier[0].outputs else None


def _counterpart_type(item: TranscriptItem) -> str:
    return OUTPUT_TYPES.get(item.type) or CALL_TYPES[item.type]


def _is_server_side_tool_search(item: TranscriptItem) -> bool:
    """Whether the item is a tool search that OpenAI ran itself. Its call and its output share no id."""
    return item.type in ("tool_search_call", "tool_search_output") and not item.call_id
