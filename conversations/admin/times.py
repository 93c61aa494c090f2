"""How the admin shows a time: exactly on the page of a row, and relative to now in lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from conversations.admin.base import EMPTY

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MAX_RELATIVE = 7 * DAY  # A time further away is shown as a date.


def format_time(moment: datetime | None) -> SafeString | str:
    """Return HTML for a time in the current time zone, with the time in UTC on hover."""
    return "" if moment is None else _time_element(moment, format_date_and_time(timezone.localtime(moment)))


def format_date_and_time(moment: datetime) -> str:
    """Return the date as the language writes it, and a clock of 24 hours, as every page of the admin has it."""
    return f"{date_format(moment)}, {moment:%H:%M}"


def format_relative_time(moment: datetime | None) -> SafeString | str:
    """Return HTML such as "5 min ago" or "in 3 h", or the date of a time that is far away, with the time on hover."""
    return "" if moment is None else _time_element(moment, _relative_text(moment, timezone.now()))


def time_column(model: type[Model], name: str, *, is_relative: bool = False) -> Callable[[Model], str]:
    """Return a display function for a time field, to use in `list_display` and `fields` in its place."""
    format_value = format_relative_time if is_relative else format_time

    def time(row: Model) -> str:
        return format_value(getattr(row, name)) or EMPTY

    time.__name__ = name
    field: Any = model._meta.get_field(name)
    time.short_description = field.verbose_name  # type: ignore[attr-defined]
    return time


def _time_element(moment: datetime, text: str) -> SafeString:
    utc = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), utc, text)


def _relative_text(moment: datetime, now: datetime) -> str:
    distance, is_future = abs(now - moment), moment > now
    if distance >= MAX_RELATIVE:
        return date_format(timezone.localtime(moment))
    if distance < MINUTE:
        return gettext("in a moment") if is_future else gettext("just now")
    if distance < HOUR:
        return (gettext("in %(count)s min") if is_future else gettext("%(count)s min ago")) % {
            "count": distance // MINUTE
        }
    if distance < DAY:
        return (gettext("in %(count)s h") if is_future else gettext("%(count)s h ago")) % {"count": distance // HOUR}
    days = distance // DAY
    if is_future:
        return ngettext("in %(count)s day", "in %(count)s days", days) % {"count": days}
    return ngettext("%(count)s day ago", "%(count)s days ago", days) % {"count": days}
