"""The charts of the overview, built from a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth import get_user_model
from django.template.defaultfilters import filesizeformat
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.charts import Chart, bar_chart, day_chart, format_change, format_count
from conversations.admin.keyset import CappedCount
from conversations.admin.overview.links import ListLinks
from conversations.admin.times import format_time
from conversations.admin.transcript.item_types import type_label
from conversations.models import FigureKind
from conversations.overview.filtered import MAX_TOTAL, FilteredReport
from conversations.overview.period import Comparison, Period
from conversations.overview.report import DailyReport, OverviewReport

MAX_OWNERS = MAX_KEYS = MAX_TOOLS = 10  # bars of a chart
MAX_VALUES = 5
MAX_SIZES = 20

DAY_CHARTS: dict[str, dict[str, Any]] = {
    FigureKind.CONVERSATIONS: {
        "title": _("Conversations per day"),
        "unit": _("Conversations"),
        "empty_text": _("No conversations in this period"),
    },
    FigureKind.ITEMS: {"title": _("Items per day"), "unit": _("Items"), "empty_text": _("No items in this period")},
    FigureKind.FAILED: {
        "title": _("Failures per day"),
        "unit": _("Failed items"),
        "empty_text": _("No failures in this period"),
    },
}


@dataclass(frozen=True)
class ToolRow:
    """A row of the table of tools. Shares are of the calls."""

    name: str
    url: str
    calls: str
    failed: str
    failure_rate: str
    length: str  # of the bar, in percent


def day_charts(report: DailyReport, period: Period, links: ListLinks, *, has_items: bool = True) -> list[Chart]:
    """Return the charts of a period with what they were in the previous one; without items, only of conversations."""
    if not has_items:
        return [day_chart_of(report, FigureKind.CONVERSATIONS, period, links)]
    charts = [day_chart_of(report, kind, period, links) for kind in DAY_CHARTS]
    items, failed = (sum(report.by_day(kind, period).values()) for kind in (FigureKind.ITEMS, FigureKind.FAILED))
    if failed and items:
        share = gettext("%(summary)s · %(percent)s %% of items")
        summary = share % {"summary": charts[-1].summary, "percent": number_format(round(100 * failed / items, 1), 1)}
        charts[-1] = replace(charts[-1], summary=summary)
    return charts


def day_chart_of(report: DailyReport, kind: str, period: Period, links: ListLinks) -> Chart:
    by_day = report.by_day(kind, period)
    comparison = Comparison.of_days(by_day, report.by_day(kind, period.previous), today=report.today)
    return day_chart(
        by_day,
        **DAY_CHARTS[kind],
        today=report.today,
        comparison=comparison_text(comparison, period, is_complete=report.today > period.last),
        url=links.day_url if kind == FigureKind.CONVERSATIONS else None,
    )


def comparison_text(comparison: Comparison, period: Period, *, is_complete: bool) -> str:
    """Return the total of the previous period and the difference, without the days that are not over."""
    previous = ngettext(
        "%(total)s in the %(days)d day before", "%(total)s in the %(days)d days before", period.length
    ) % {
        "total": format_count(comparison.previous_total),
        "days": period.length,
    }
    if comparison.change is None:
        return previous
    change = format_change(comparison.change)
    if not is_complete:
        change = gettext("%(change)s without today") % {"change": change}
    return f"{previous} · {change}"


def facts_of(report: FilteredReport) -> list[tuple[str, str]]:
    """Return what is known of the matching conversations of all time, as label and HTML."""
    count = "" if report.total_count is None else str(CappedCount.cut(report.total_count, MAX_TOTAL))
    facts = [
        (gettext("Conversations"), count),
        (gettext("First created"), format_time(report.first_created_at)),
        (gettext("Last active"), format_time(report.last_active_at)),
    ]
    return [(label, value) for label, value in facts if value]


def type_chart(report: DailyReport, period: Period) -> Chart:
    types = report.item_types(period)
    chart = bar_chart(
        ((type_label(name), count, "") for name, count in types),
        title=_("Item types"),
        label=_("Type"),
        unit=_("Items"),
        total=sum(count for _name, count in types),
    )
    # The API's name, which the query language takes, is shown on hover.
    bars = [replace(bar, title=name) for bar, (name, _count) in zip(chart.bars, types, strict=True)]
    return replace(chart, bars=bars)


def tool_rows(report: DailyReport, period: Period, links: ListLinks) -> list[ToolRow]:
    rows = []
    for tool in report.tools(period, MAX_TOOLS):
        share = min(100 * tool.failed / tool.calls, 100)
        rate = gettext("%(percent)s %%") % {"percent": number_format(round(share, 1), 1)}
        length = str(max(round(share), 1) if tool.failed else 0)
        calls, failed = format_count(tool.calls), format_count(tool.failed)
        rows.append(ToolRow(tool.name, links.tool_url(tool.name), calls, failed, rate, length))
    return rows


def all_time_charts(report: OverviewReport, links: ListLinks) -> list[Chart]:
    conversations = report.total(FigureKind.CONVERSATIONS)
    keys = report.top(FigureKind.KEY, MAX_KEYS)
    return [
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
    ]


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
