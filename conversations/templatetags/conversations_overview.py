from __future__ import annotations

from typing import Any

from django import template
from django.contrib.admin.sites import all_sites
from django.template.defaultfilters import filesizeformat
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from conversations.admin.charts import format_change, format_count
from conversations.admin.overview.failed_conversations import recent_failures
from conversations.admin.overview.links import ListLinks
from conversations.admin.overview.sections import day_chart_of
from conversations.admin.permissions import sees_all_conversations
from conversations.admin.times import format_date_and_time, format_relative_time, format_time
from conversations.models import Conversation, FigureKind
from conversations.overview.period import Comparison, Period
from conversations.overview.report import OverviewReport

DAYS = 7

register = template.Library()
register.filter("conversations_time", format_time)


@register.simple_tag(takes_context=True)
def conversations_overview_url(context: template.Context) -> str:
    """Return the URL of the overview, or "" if the user may not open it or the admin site has no conversations."""
    request = context["request"]
    verbs = ("view", "change")
    may_view = any(request.user.has_perm(f"conversations.{verb}_conversation") for verb in verbs)
    if not (may_view and sees_all_conversations(request)):
        return ""
    try:
        return reverse("admin:conversations_overview", current_app=request.current_app)
    except NoReverseMatch:
        return ""


@register.inclusion_tag("conversations/search.html", takes_context=True)
def conversations_search(context: template.Context) -> dict[str, Any]:
    """Show a search box that leads to the list, or nothing if the user may not view it."""
    model_admin = _find_model_admin(context)
    return {"list_url": ListLinks(model_admin.admin_site.name).url} if model_admin else {}


@register.inclusion_tag("conversations/failures.html", takes_context=True)
def conversations_failures(context: template.Context) -> dict[str, Any]:
    """Show the recently active conversations with failures, or nothing if the user may not view the list."""
    model_admin = _find_model_admin(context)
    if not model_admin:
        return {}
    links = ListLinks(model_admin.admin_site.name)
    return {"all_url": links.failures_url(), "failures": recent_failures(model_admin, context["request"])}


@register.inclusion_tag("conversations/glance.html", takes_context=True)
def conversations_glance(context: template.Context) -> dict[str, Any]:
    """Show the most important figures of the overview, or nothing if the user may not open it."""
    overview_url = conversations_overview_url(context)
    if not overview_url:
        return {}
    report = OverviewReport()
    period = Period.of_days(DAYS, last=report.today)
    links = ListLinks(context["request"].current_app, report.zone)
    conversations, items = (_Week(report, kind, period) for kind in (FigureKind.CONVERSATIONS, FigureKind.ITEMS))
    size = sum(size for *_name, size in report.sizes())
    return {
        "overview_url": f"{overview_url}?days={DAYS}",
        "report": report,
        "figures": [
            (_("Conversations today"), conversations.today, ""),
            (_("Items today"), items.today, ""),
            (_("Conversations, last 7 days"), conversations.total, conversations.change),
            (_("Items, last 7 days"), items.total, items.change),
            (_("Owners"), format_count(report.owner_count), ""),
            (_("Storage"), filesizeformat(size) if size else _("unknown until the first refresh"), ""),
        ],
        "chart": day_chart_of(report, FigureKind.CONVERSATIONS, period, links),
    }


class _Week:
    """The figures of a kind in the last days, as texts. They end with "+" if newer rows are still being counted."""

    def __init__(self, report: OverviewReport, kind: str, period: Period) -> None:
        by_day = report.by_day(kind, period)
        comparison = Comparison.of_days(by_day, report.by_day(kind, period.previous), today=report.today)
        more = "" if report.is_up_to_date else "+"
        self.today = f"{format_count(by_day[report.today])}{more}"
        self.total = f"{format_count(sum(by_day.values()))}{more}"
        self.change = "" if comparison.change is None else format_change(comparison.change)


@register.filter
def conversations_relative_time(conversation: Conversation) -> str:
    """Show when the conversation was last active."""
    return format_relative_time(conversation.last_item_at or conversation.created_at)


@register.filter
def conversations_counted_at(report: OverviewReport) -> str:
    """Return when the figures were stored, in their time zone: the time of today, or the date and the time."""
    if report.overview.counted_at is None:
        return ""
    moment = report.overview.counted_at.astimezone(report.zone)
    return f"{moment:%H:%M}" if moment.date() == report.today else format_date_and_time(moment)


def _find_model_admin(context: template.Context) -> Any:
    """Return the model admin of conversations on this site, or None if there is none or the user may not use it."""
    request = context["request"]
    for site in all_sites:
        if site.name == request.current_app and site.is_registered(Conversation):
            model_admin = site.get_model_admin(Conversation)
            return model_admin if model_admin.has_view_permission(request) else None
    return None
