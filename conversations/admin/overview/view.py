from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone

from conversations.admin.actions.export import can_export
from conversations.admin.base import ModelAdminView
from conversations.admin.list.parameters import COLUMN_PARAMETERS, VIEW_PARAMETER
from conversations.admin.overview.filters import DAYS_PARAMETER, OverviewFilters
from conversations.admin.overview.links import ListLinks
from conversations.admin.overview.sections import all_time_charts, day_charts, facts_of, tool_rows, type_chart
from conversations.admin.panels import render_overview_panels
from conversations.admin.permissions import sees_all_conversations
from conversations.admin.saved_view import load_query_string, view_bar_context
from conversations.errors import APIError
from conversations.overview.filtered import FilteredReport
from conversations.overview.report import OverviewReport


class OverviewView(ModelAdminView):
    """A page of charts about all conversations, or about those that match a filter of the list.

    It shows figures, metadata and names of owners, but no message content.
    """

    http_method_names = ["get", "head"]
    max_seconds = 0.2  # for counting the figures of a filter on the fly
    max_patient_seconds = 5  # after "Keep counting"

    def get(self, request: HttpRequest) -> HttpResponse:
        if not self.model_admin.has_view_permission(request) or not sees_all_conversations(request):
            raise PermissionDenied
        if VIEW_PARAMETER in request.GET:
            return HttpResponseRedirect(self._url_of_view(request.GET[VIEW_PARAMETER]))
        filters = OverviewFilters(self.model_admin, request)
        site = self.model_admin.admin_site.name
        context = {
            "title": filters.title,
            "filters": filters,
            "form": filters.form,
            "days": filters.days,
            "suggestions_url": reverse("admin:conversations_conversation_suggestions", current_app=site),
            "max_patient_seconds": self.max_patient_seconds,
            **view_bar_context(self.model_admin, request),
            "may_see_tools": self.model_admin.has_read_content_permission(request),
            **self._figures(filters, site),
        }
        return self.render(self.model_admin.overview_template, context)

    def _figures(self, filters: OverviewFilters, site: str) -> dict[str, Any]:
        try:
            error = filters.selection.error
        except APIError as refusal:  # a search of messages by somebody who may not read them
            error = refusal.message
        if error or not filters.form.is_valid():
            return {"error": error}
        if filters.is_active:
            return self._filtered_figures(filters, site)
        report = OverviewReport()
        period = filters.period(report.today)
        links = ListLinks(site, report.zone)
        return {
            "report": report,
            "period": period,
            "by_day": day_charts(report, period, links),
            "types": type_chart(report, period),
            "tools": tool_rows(report, period, links),
            "panels": render_overview_panels(self.request, *period.bounds(report.zone)),
            "bars": all_time_charts(report, links),
        }

    def _filtered_figures(self, filters: OverviewFilters, site: str) -> dict[str, Any]:
        search = filters.selection.search
        zone = ZoneInfo(timezone.get_default_timezone_name())
        period = filters.period(timezone.now().astimezone(zone).date())
        seconds = self.max_patient_seconds if filters.is_patient else self.max_seconds

        def count() -> FilteredReport:
            return FilteredReport(search.conversations, search.query, period=period, zone=zone, seconds=seconds)

        report = search.read(count, count=lambda report: report.conversation_count)
        conditions = [pair for chip in filters.conditions.chips for pair in chip.pairs]
        links = ListLinks(site, zone, [*conditions, *filters.conditions.others])
        figures: dict[str, Any] = {"report": report, "period": period, "facts": facts_of(report)}
        figures |= self._actions(filters, links)
        if report.has_conversations:
            figures["by_day"] = day_charts(report, period, links, has_items=report.has_items)
        if report.has_items:
            figures |= {"types": type_chart(report, period), "tools": tool_rows(report, period, links)}
        return figures

    def _actions(self, filters: OverviewFilters, links: ListLinks) -> dict[str, str]:
        """Return the URLs of the list with the filter, and of what the user may do with its conversations."""
        name = "admin:conversations_conversation_export_list"
        export_url = reverse(name, current_app=self.model_admin.admin_site.name) + filters.conditions.strict_url
        return {
            "list_url": links.url + filters.conditions.strict_url,
            "export_url": export_url if can_export(self.model_admin, self.request) else "",
            "erase_url": self.model_admin.erase_url(self.request, filters.conditions),
        }

    def _url_of_view(self, view_id: str) -> str:
        """Return the URL of this page with the filters of a saved view, and with the days of the URL."""
        query_string = None
        if view_id.isascii() and view_id.isdecimal() and len(view_id) < 19:
            query_string = load_query_string(int(view_id), self.model_admin, self.request)
        parameters = QueryDict(query_string or "", mutable=True)
        for name in COLUMN_PARAMETERS:
            parameters.pop(name, None)
        if days := self.request.GET.get(DAYS_PARAMETER):
            parameters[DAYS_PARAMETER] = days
        return f"{self.request.path}?{parameters.urlencode()}"
