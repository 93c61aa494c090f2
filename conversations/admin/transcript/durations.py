"""Durations as people read them."""

from __future__ import annotations

from datetime import timedelta

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from conversations.admin.charts import format_count

MAX_TENTHS = 10  # seconds; longer durations have none
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def format_duration(duration: timedelta) -> str:
    """Return the duration in its two greatest units, such as "0.4 s", "19 s", "3 min 20 s" or "2 days 5 h"."""
    tenths = round(duration.total_seconds(), 1)
    if tenths < MAX_TENTHS and tenths % 1:
        return gettext("%(seconds)s s") % {"seconds": number_format(tenths, 1)}
    seconds = round(duration.total_seconds())
    days, hours, minutes = seconds // DAY, seconds % DAY // HOUR, seconds % HOUR // MINUTE
    if days:
        days_text = ngettext("%(number)s day", "%(number)s days", days) % {"number": format_count(days)}
        return gettext("%(days)s %(hours)d h") % {"days": days_text, "hours": hours}
    if hours:
        return gettext("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return gettext("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds % MINUTE}
    return gettext("%(seconds)d s") % {"seconds": seconds}
