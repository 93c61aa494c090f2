"""The panel of model calls on the page of a conversation in the admin."""

from __future__ import annotations

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext

from conversations.admin.charts import format_count
from conversations.admin.panels import register_panel
from conversations.admin.transcript.durations import format_duration
from conversations.models import Conversation
from conversations.responses.models import Turn, TurnStatus

MAX_TURNS = 50


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
    totals = rows.aggregate(
        count=Count("pk"),
        failed_count=Count("pk", filter=Q(status=TurnStatus.FAILED)),
        input_tokens=Sum("input_tokens"),
        output_tokens=Sum("output_tokens"),
    )
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


def _text(count: int | None) -> str:
    return "-" if count is None else format_count(count)
