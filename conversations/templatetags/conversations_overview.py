from __future__ import annotations

from typing import Any

from django import template
from django.template.defaultfilters import filesizeformat
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from conversations.admin.charts import day_chart, format_count
from conversations.admin.overview import ListLinks
from conversations.admin.permissions import sees_all_conversations
from conversations.models import FigureKind
from conversations.overview.report import OverviewReport

DAYS = 7

register = template.Library()


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


@register.inclusion_tag("conversations/glance.html", takes_context=True)
def conversations_glance(context: template.Context) -> dict[str, Any]:
    """Show the most important figures of the overview, or nothing if the user may not open it."""
    overview_url = conversations_overview_url(context)
    if not overview_url:
        return {}
    report = OverviewReport()
    links = ListLinks(context["request"].current_app, report.zone)
    conversations, items = (report.by_day(kind, DAYS) for kind in (FigureKind.CONVERSATIONS, FigureKind.ITEMS))
    size = sum(size for *_name, size in report.sizes())
    return {
        "overview_url": overview_url,
        "report": report,
        "figures": [
            (_("Conversations today"), format_count(conversations[report.today])),
            (_("Items today"), format_count(items[report.today])),
            (_("Conversations, last 7 days"), format_count(sum(conversations.values()))),
            (_("Items, last 7 days"), format_count(sum(items.values()))),
            (_("Owners"), format_count(report.owner_count)),
            (_("Storage"), filesizeformat(size) if size else _("unknown until the first refresh")),
        ],
        "chart": day_chart(
            conversations,
            title=_("Conversations per day"),
            unit=_("Conversations"),
            empty_text=_("No conversations in this period"),
            url=links.day_url,
        ),
    }
