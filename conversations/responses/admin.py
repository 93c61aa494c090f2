"""The panels of model calls in the admin: on the page of a conversation, and in the overview."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext

from conversations.admin.charts import format_count
from conversations.admin.panels import register_overview_panel, register_panel
from conversations.admin.transcript.durations import format_duration
from conversations.db.timeouts import QueryTimeout, time_limit
from conversations.models import Conversation
from conversations.responses.models import Turn, TurnStatus

MAX_TURNS = 50
MAX_MODELS = 10
MAX_SECONDS = 0.2  # for the figures of the overview

SUMS: dict[str, Any] = {
    "count": Count("pk"),
    "failed_count": Count("pk", filter=Q(status=TurnStatus.FAILED)),
    "input_tokens": Sum("input_tokens"),
    "output_tokens": Sum("output_tokens"),
}


class TurnLine:
    """A turn as the table shows it."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.is_failed = turn.status == TurnStatus.FAILED
        self.duration = format_duration(turn.duration)
        self.input_tokens = _text(turn.input_tokens)
        self.output_tokens = _text(turn.output_tokens)


@register_panel
def turns_panel(request: HttpRequest, conversation: Conversation) -> str:
    """Return the table of the newest turns with the sums of all turns, or an empty string if there are none."""
    rows = Turn.objects.filter(conversation=conversation.pk)
    totals = rows.aggregate(**SUMS)
    if not totals["count"]:
        return ""
    turns = list(rows.order_by("-pk")[:MAX_TURNS])
    context = {
        "lines": [TurnLine(turn) for turn in turns],
        "cut": format_count(MAX_TURNS) if totals["count"] > len(turns) else "",
        "failed_count": totals["failed_count"],
        "figures": [
            (gettext("Model calls"), _text(totals["count"])),
            (gettext("Tokens in"), _text(totals["input_tokens"])),
            (gettext("Tokens out"), _text(totals["output_tokens"])),
        ],
    }
    return render_to_string("conversations_responses/turns.html", context, request=request)


@register_overview_panel
def calls_panel(request: HttpRequest, start: datetime, end: datetime) -> str:
    """Return the table of the models that were called most in the period, or an empty string if there were no calls."""
    # The index begins with the status.
    turns = Turn.objects.filter(status__in=TurnStatus.values, finished_at__gte=start, finished_at__lt=end)
    rows = turns.values("model").annotate(**SUMS).order_by("-count", "model")
    try:
        with time_limit(MAX_SECONDS, using=turns.db):
            models = list(rows[:MAX_MODELS])
    except QueryTimeout:
        models = None
    if models == []:
        return ""
    lines = [{"model": row["model"], **{name: _text(row[name]) for name in SUMS}} for row in models or ()]
    return render_to_string("conversations_responses/calls.html", {"lines": lines}, request=request)


def _text(count: int | None) -> str:
    return "-" if count is None else format_count(count)
