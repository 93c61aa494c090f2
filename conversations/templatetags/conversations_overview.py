from __future__ import annotations

from typing import Any

from django import template
from django.template.defaultfilters import filesizeformat
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from conversations.admin.charts import chart_of_days, format_count
from conversations.admin.overview import ListLinks
from conversations.models import OverviewFigure
from conversations.overview.report import OverviewReport

DAYS = 7

register = template.Library()
FigureKind = OverviewFigure.Kind


@register.simple_tag(takes_context=True)
def conversations_overview_url(context: template.Context) -> str:
    """Nothing for those who may not see it, and where the site has no list of conversations."""
    request = context["request"]
    if not any(request.user.has_perm(f"conversations.{verb}_conversation") for verb in ("view", "change")):
        return ""
    try:
        return reverse("admin:conversations_overview", current_app=request.current_app)
    except NoReverseMatch:
        return ""


@register.inclusion_tag("conversations/glance.html", takes_context=True)
def conversations_glance(context: template.Context) -> dict[str, Any]:
    """The overview in a few figures, for those who may see it."""
    overview_url = conversations_overview_url(context)
    if not overview_url:
        return {}
    survey = OverviewReport()
    links = ListLinks(context["request"].current_app, survey.zone)
    conversations, items = (survey.by_day(kind, DAYS) for kind in (FigureKind.CONVERSATIONS, FigureKind.ITEMS))
    size = sum(size for *_name, size in survey.sizes())
    return {
        "overview_url": overview_url,
        "survey": survey,
        "figures": [
            (_("Conversations today"), format_count(conversations[survey.today])),
            (_("Items today"), format_count(items[survey.today])),
            (_("Conversations in 7 days"), format_count(sum(conversations.values()))),
            (_("Items in 7 days"), format_count(sum(items.values()))),
            (_("Owners"), format_count(survey.owner_count)),
            (_("Storage"), filesizeformat(size) if size else _("not counted yet")),
        ],
        "chart": chart_of_days(
            conversations, title=_("Conversations per day"), unit=_("Conversations"), url=links.of_day
        ),
    }
