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
from conversations.admin.charts import Chart, chart_of_bars, chart_of_days
from conversations.models import OverviewFigure
from conversations.overview.report import OverviewReport
from conversations.overview.rollup import day_start_seconds

TOP = 10
TOP_VALUES = 5
MAX_SIZES = 20

FigureKind = OverviewFigure.Kind


class ListLinks:
    """URLs of the conversation list with a filter."""

    def __init__(self, site_name: str, zone: tzinfo) -> None:
        self.url = reverse("admin:conversations_conversation_changelist", current_app=site_name)
        self.zone = zone

    def of_day(self, day: date) -> str:
        if self.zone == timezone.get_current_timezone():
            return self._filtered(created_from=day.isoformat(), created_to=day.isoformat())
        first, end = (day_start_seconds(each, self.zone) for each in (day, day + timedelta(days=1)))
        return self._filtered(q=f"created>={first} created<{end}")

    def of_key(self, key: str) -> str:
        return self._filtered(metadata_key=key, metadata_operator="exists", metadata_value="")

    def of_value(self, key: str, value: str) -> str:
        return self._filtered(metadata_key=key, metadata_operator="eq", metadata_value=value)

    def of_owner(self, username: str) -> str:
        return self._filtered(owner=username)

    def _filtered(self, **parameters: str) -> str:
        return f"{self.url}?{urlencode(parameters)}"


class OverviewView(ModelAdminView):
    """A page of charts about all conversations. It holds no content: figures, metadata and names of owners."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied
        periods = self.model_admin.overview_days
        asked = request.GET.get("days", "")
        days = next((each for each in periods if str(each) == asked), periods[0])
        survey = OverviewReport()
        context = {
            "title": _("Overview"),
            "days": days,
            "choices": sorted(periods),
            "survey": survey,
            **_charts(survey, days, ListLinks(self.model_admin.admin_site.name, survey.zone)),
        }
        return self.render(self.model_admin.overview_template, context)


def _charts(survey: OverviewReport, days: int, links: ListLinks) -> dict[str, Any]:
    conversations = survey.total(FigureKind.CONVERSATIONS)
    keys = survey.top(FigureKind.KEY, TOP)
    types = survey.item_types(days)
    return {
        "by_day": [
            chart_of_days(
                survey.by_day(FigureKind.CONVERSATIONS, days),
                title=_("Conversations per day"),
                unit=_("Conversations"),
                url=links.of_day,
            ),
            chart_of_days(survey.by_day(FigureKind.ITEMS, days), title=_("Items per day"), unit=_("Items")),
        ],
        "types": chart_of_bars(
            ((name, count, "") for name, count in types),
            title=_("Item types"),
            label=_("Type"),
            unit=_("Items"),
            total=sum(count for _name, count in types),
        ),
        "bars": [
            chart_of_bars(
                _owners(survey, links),
                title=_("Busiest owners"),
                label=_("Owner"),
                unit=_("Conversations"),
                total=conversations,
            ),
            chart_of_bars(
                ((key, count, links.of_key(key)) for key, count in keys),
                title=_("Metadata keys"),
                label=_("Key"),
                unit=_("Conversations"),
                total=conversations,
            ),
            *_values(survey, dict(keys), links),
            _sizes(survey),
        ],
    }


def _owners(survey: OverviewReport, links: ListLinks) -> Iterator[tuple[str, int, str]]:
    top = survey.top(FigureKind.OWNER, TOP)
    users = get_user_model()._default_manager.filter(pk__in=[owner for owner, _count in top])
    names = {str(user.pk): user.get_username() for user in users}
    for owner, count in top:
        name = names.get(owner)
        yield (name, count, links.of_owner(name)) if name else (gettext("a deleted user"), count, "")


def _values(survey: OverviewReport, keys: dict[str, int], links: ListLinks) -> Iterator[Chart]:
    values = survey.values_of(keys, TOP_VALUES)
    for key in keys:
        if key in values:
            yield chart_of_bars(
                ((value or gettext("(empty)"), count, links.of_value(key, value)) for value, count in values[key]),
                title=gettext("Values of “%(key)s”") % {"key": key},
                label=_("Value"),
                unit=_("Conversations"),
                total=keys[key],
            )


def _sizes(survey: OverviewReport) -> Chart:
    sizes = survey.sizes()
    parts = {"table": gettext("%(table)s, rows"), "indexes": gettext("%(table)s, indexes")}
    rows = [
        (parts[part] % {"table": table} if table else gettext("the whole database file"), size, "")
        for table, part, size in sizes
        if size
    ]
    return chart_of_bars(
        rows[:MAX_SIZES],
        title=_("Storage"),
        label=_("Table"),
        unit=_("Size"),
        total=sum(size for *_name, size in sizes),
        number=filesizeformat,
    )
