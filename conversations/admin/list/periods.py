"""Periods to choose in the filter form. Choosing one submits the form, so that what was typed there is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import get_format
from django.utils.translation import gettext_lazy as _

from conversations.admin.list.parameters import PERIOD_PARAMETER

DAY_PARAMETERS = ("created_from", "created_to")
LABELS: dict[str, Any] = {
    "today": _("Today"),
    "yesterday": _("Yesterday"),
    "7_days": _("Last 7 days"),
    "last_week": _("Last week"),
    "30_days": _("Last 30 days"),
    "this_month": _("This month"),
}


@dataclass(frozen=True)
class PeriodChoice:
    name: str
    label: Any
    is_current: bool  # the list shows this period


def period_choices(parameters: QueryDict) -> list[PeriodChoice]:
    current = tuple(parameters.get(name, "") for name in DAY_PARAMETERS)
    return [
        PeriodChoice(name, label, is_current=current == tuple(map(str, _days(name)))) for name, label in LABELS.items()
    ]


def replace_period(parameters: QueryDict) -> None:
    """Replace the name of a period by its first and last day. An unknown name changes no dates."""
    name = parameters.get(PERIOD_PARAMETER, "")
    parameters.pop(PERIOD_PARAMETER, None)
    if name in LABELS:
        for parameter, day in zip(DAY_PARAMETERS, _days(name), strict=True):
            parameters[parameter] = day.isoformat()


def _days(name: str) -> tuple[date, date]:
    today = timezone.localdate()
    # FIRST_DAY_OF_WEEK is 0 for Sunday, weekday() is 0 for Monday.
    start_of_week = today - timedelta(days=(today.weekday() + 1 - get_format("FIRST_DAY_OF_WEEK")) % 7)
    match name:
        case "yesterday":
            return today - timedelta(days=1), today - timedelta(days=1)
        case "7_days":
            return today - timedelta(days=6), today
        case "last_week":
            return start_of_week - timedelta(days=7), start_of_week - timedelta(days=1)
        case "30_days":
            return today - timedelta(days=29), today
        case "this_month":
            return today.replace(day=1), today
    return today, today
