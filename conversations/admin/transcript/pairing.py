"""Which call an output belongs to, also when they are apart, out of order or on different pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from conversations.admin.transcript.item import ShownItem
from conversations.models import ItemQuerySet
from conversations.schema.items import ITEM_TYPES

OUTPUT_TYPES: Mapping[str, str] = {
    name: item_type.output_type for name, item_type in ITEM_TYPES.items() if item_type.output_type
}
CALL_TYPES: Mapping[str, str] = {output: call for call, output in OUTPUT_TYPES.items()}


def pair(items: Sequence[ShownItem], stored: ItemQuerySet, url_of: Callable[[str], str]) -> None:
    """Join calls and outputs of a page; look up in the conversation only what the page leaves open."""
    calls = [item for item in items if item.type in OUTPUT_TYPES]
    for output in items:
        if output.type in CALL_TYPES and (call := _call_of(output, calls, items)):
            output.call = call
            call.answers.append(output)
    unanswered = [call for call in calls if not call.answers]
    uncalled = [item for item in items if item.type in CALL_TYPES and not item.call]
    unpaired = [item for item in unanswered + uncalled if _is_answered_by_an_item(item)]
    _find_elsewhere(unpaired, {item.item_id for item in items}, stored, url_of)


def _find_elsewhere(
    unpaired: Sequence[ShownItem], shown: set[str], stored: ItemQuerySet, url_of: Callable[[str], str]
) -> None:
    wanted = {(_counterpart_type(item), key) for item in unpaired if (key := _key(item))}
    found = [row for row in stored.with_call_ids(wanted) if row.item_id not in shown] if wanted else []
    for item in unpaired:
        counterpart = (_counterpart_type(item), _key(item))
        rows = [row for row in found if (row.type, row.call_id) == counterpart]
        item.elsewhere = [(row.position, url_of(row.item_id)) for row in rows]
        item.is_orphan = not rows


def _call_of(output: ShownItem, calls: Iterable[ShownItem], items: Sequence[ShownItem]) -> ShownItem | None:
    """Return the nearest earlier call without an output, else the first later one, else a call that has an output."""
    key = _key(output)
    if key is None:
        return _call_before(output, items)
    same = [call for call in calls if call.type == CALL_TYPES[output.type] and _key(call) == key]
    before = [call for call in same if call.position < output.position]
    waiting = [call for call in before if not call.answers][-1:] or [call for call in same if not call.answers][:1]
    return next(iter(waiting or before[-1:] or same), None)


def _call_before(output: ShownItem, items: Sequence[ShownItem]) -> ShownItem | None:
    """Return the local shell call directly before its output, which has no call id."""
    if output.type != "local_shell_call_output":
        return None
    before = [item for item in items if item.position < output.position][-1:]
    return before[0] if before and before[0].type == "local_shell_call" and not before[0].answers else None


def _key(item: ShownItem) -> str | None:
    member = ITEM_TYPES[item.type].pairing_member
    if member == "id":
        return str(item.item_id)
    key = item.data.get(member) if isinstance(item.data, dict) else None
    return str(key) if isinstance(key, str) and key else None


def _counterpart_type(item: ShownItem) -> str:
    return OUTPUT_TYPES.get(item.type) or CALL_TYPES[item.type]


def _is_answered_by_an_item(item: ShownItem) -> bool:
    """Whether another item holds the output; a tool search on the server has no call id to find it by."""
    return not (item.type in ("tool_search_call", "tool_search_output") and _key(item) is None)
