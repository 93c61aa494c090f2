from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import ModelAdminView
from conversations.admin.charts import Chart, bar_chart, day_chart
from conversations.admin.permissions import sees_all_conversations
from conversations.models import FigureKind
from conversations.overview.report import OverviewReport
from conversations.overview.rollup import day_start_seconds

MAX_OWNERS = MAX_KEYS = 10  # bars of a chart
MAX_VALUES = 5
MAX_SIZES = 20


class ListLinks:
    """URLs of the conversation list with a filter."""

    def __init__(self, site_name: str, zone: tzinfo) -> None:
        self.url = reverse("admin:conversations_conversation_changelist", current_app=site_name)
        self.zone = zone

    def day_url(self, day: date) -> str:
        """Return a link to the conversations created on a day of the overview's time zone.

        The date fields of the list are in the current time zone, so a day of another zone needs exact times.
        """
        if self.zone == timezone.get_current_timezone():
            return self._filtered(created_from=day.isoformat(), created_to=day.isoformat())
        first, end = (day_start_seconds(each, self.zone) for each in (day, day + timedelta(days=1)))
        return self._filtered(q=f"created>={first} created<{end}")

    def key_url(self, key: str) -> str:
        return self._filtered(metadata_key=key, metadata_operator="exists", metadata_value="")

    def value_url(self, key: str, value: str) -> str:
        return self._filtered(metadata_key=key, metadata_operator="eq", metadata_value=value)

    def owner_url(self, username: str) -> str:
        return self._filtered(owner=username)

    def _filtered(self, **parameters: str) -> str:
        return f"{self.url}?{urlencode(parameters)}"


class OverviewView(ModelAdminView):
    """A page of charts about all conversations: figures, metadata and names of owners, but no message content."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not self.model_admin.has_view_permission(request) or not sees_all_conversations(request):
            raise PermissionDenied
        periods = self.model_admin.overview_days
        days = next((period for period in periods if str(period) == request.GET.get("days")), periods[0])
        report = OverviewReport()
        context = {
            "title": _("Overview"),
            "days": days,
            "choices": sorted(periods),
            "report": report,
            **_charts(report, days, ListLinks(self.model_admin.admin_site.name, report.zone)),
        }
        return self.render(self.model_admin.overview_template, context)


def _charts(report: OverviewReport, days: int, links: ListLinks) -> dict[str, Any]:
    conversations = report.total(FigureKind.CONVERSATIONS)
    keys = report.top(FigureKind.KEY, MAX_KEYS)
    types = report.item_types(days)
    return {
        "by_day": [
            day_chart(
                report.by_day(FigureKind.CONVERSATIONS, days),
                title=_("Conversations per day"),
                unit=_("Conversations"),
                empty_text=_("No conversations in this period"),
                url=links.day_url,
            ),
            day_chart(
                report.by_day(FigureKind.ITEMS, days),
                title=_("Items per day"),
                unit=_("Items"),
                empty_text=_("No items in this period"),
            ),
        ],
        "types": bar_chart(
            ((name, count, "") for name, count in types),
            title=_("Item types"),
            label=_("Type"),
            unit=_("Items"),
            total=sum(count for _name, count in types),
        ),
        "bars": [
            bar_chart(
                _owners(report, links),
                title=_("Busiest owners"),
                label=_("Owner"),
                unit=_("Conversations"),
                total=conversations,
            ),
            bar_chart(
                ((key, count, links.key_url(key)) for key, count in keys),
                title=_("Metadata keys"),
                label=_("Key"),
                unit=_("Conversations"),
                total=conversations,
            ),
            *_values(report, dict(keys), links),
            _sizes(report),
        ],
    }


def _owners(report: OverviewReport, links: ListLinks) -> Iterator[tuple[str, int, str]]:
    top = report.top(FigureKind.OWNER, MAX_OWNERS)
    users = get_user_model()._default_manager.filter(pk__in=[owner for owner, _count in top])
    names = {str(user.pk): user.get_username() for user in users}
    for owner, count in top:
        name = names.get(owner)
        yield (name, count, links.owner_url(name)) if name else (gettext("a deleted user"), count, "")


def _values(report: OverviewReport, keys: dict[str, int], links: ListLinks) -> Iterator[Chart]:
    values = report.values_of(keys, MAX_VALUES)
    for key in keys:
        if key in values:
            yield bar_chart(
                ((value or gettext("(empty)"), count, links.value_url(key, value)) for value, count in values[key]),
                title=gettext("Values of “%(key)s”") % {"key": key},
                label=_("Value"),
                unit=_("Conversations"),
                total=keys[key],
            )


def _sizes(report: OverviewReport) -> Chart:
    sizes = report.sizes()
    parts = {"table": gettext("%(table)s, rows"), "indexes": gettext("%(table)s, indexes")}
    rows = [
        (parts[part] % {"table": table} if table else gettext("the whole database file"), size, "")
        for table, part, size in sizes
        if size
    ]
    return bar_chart(
        rows[:MAX_SIZES],
        title=_("Storage"),
        label=_("Table"),
        unit=_("Size"),
        total=sum(size for *_name, size in sizes),
        format_number=filesizeformat,
    )
