"""The details of an entry of the access log, in the words of the pages that the action has."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import EMPTY
from conversations.admin.charts import format_count
from conversations.admin.list.conditions import in_quotes
from conversations.admin.times import format_time
from conversations.models import AccessRecord, RetentionRule

# The numbers of the receipt of an erasure, in the order of its page.
RECEIPT_LABELS = {
    "conversations": _("Conversations"),
    "items": _("Items"),
    "deleted conversations": _("Deleted conversations"),
    "request records": _("Records of repeated requests"),
    "saved views": _("Saved views"),
    "search texts": _("Search texts in the access log"),
    "history texts": _("Names in the history of the admin"),
}
LABELS = {
    **RECEIPT_LABELS,
    "checked": _("Ids that no table refers to any more"),
    "chosen by": _("Chosen by"),
    "copies": _("Redacted copies"),
    "days": _("Days"),
    "finished": _("Finished"),
    "item": _("Item"),
    "key": _("API key"),
    "name": _("Name"),
    "on legal hold": _("Kept because of a legal hold"),
    "protected": _("Kept because other rows point to them"),
    "reason": _("Reason"),
    "replaces": _("Replaces"),
    "retention rules": _("Retention rules that stay"),
    "rule": _("Rule"),
    "since": _("Since"),
    "started": _("Started"),
    "user": _("User"),
}
VALUE_LABELS = {
    "chosen by": {"owner": _("owner"), "end user": _("end user"), "metadata value": _("metadata value")},
    "since": dict(RetentionRule.Basis.choices),
}
TIMES = ("started", "finished")


def render_details(record: AccessRecord) -> str:
    """Return the details as an HTML list, and of a change of metadata the pairs that differ."""
    details = record.details or {}
    if record.action == AccessRecord.Action.METADATA and details:
        old, new = details["old"], details["new"]
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        lines = [(key, _quote(old.get(key)), _quote(new.get(key))) for key in changed]
        rows = format_html_join("", "<li><b>{}</b>: {} → {}</li>", lines)
    else:
        # A receipt has many numbers, most of which are 0.
        values = ((key, value) for key, value in details.items() if value not in (None, 0, []))
        texts = ((LABELS.get(key, key), _format_value(key, value)) for key, value in values)
        rows = format_html_join("", "<li><b>{}</b>: {}</li>", texts)
    return format_html('<ul class="conversations-pairs">{}</ul>', rows) if rows else EMPTY


def _format_value(key: str, value: Any) -> Any:
    if key in TIMES:
        return format_time(datetime.fromisoformat(value))
    if isinstance(value, int):
        return format_count(value)
    labels = VALUE_LABELS.get(key, {})
    parts = value if isinstance(value, list) else [value]
    return ", ".join(str(labels.get(part, part)) for part in parts)


def _quote(value: str | None) -> str:
    return gettext("not set") if value is None else in_quotes(value)
