from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import AppModelAdmin, ModelAdminView
from conversations.admin.content.search import RecordedSearch
from conversations.admin.keyset import CappedCount, CappedPaginator
from conversations.admin.list.change_list import ConversationChangeList
from conversations.admin.permissions import sees_all_conversations
from conversations.db.timeouts import QueryTimeout, time_limit
from conversations.models import Conversation, ConversationQuerySet, RetentionRule
from conversations.retention.rules import select_conversations

MAX_COUNT = ConversationChangeList.max_count
SAMPLE = 20  # conversations
SECONDS = 10  # for the number and the sample of a dry run


class DryRunView(ModelAdminView):
    """The number of conversations that a rule would delete now, and the oldest of them. Nothing is deleted."""

    template: ClassVar[str] = "admin/conversations/retentionrule/dry_run.html"
    http_method_names = ["get", "head"]

    def dispatch(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        rule = self.get_row(object_id)
        may_view = self.model_admin.has_view_permission(request, rule)
        if not (may_view and request.user.has_perm("conversations.view_conversation")):
            raise PermissionDenied
        if not sees_all_conversations(request):
            raise PermissionDenied
        self.rule = rule
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        conversations, query = select_conversations(self.rule)
        context: dict[str, Any] = {"title": _("Dry run"), "original": self.rule}
        # The query of a rule searches for no words, so that this search has no record of its own.
        model_admin = self.model_admin.admin_site.get_model_admin(Conversation)
        search = RecordedSearch(model_admin, request, conversations.filter(is_held=False), query)
        try:
            with time_limit(SECONDS, using=conversations.db):
                context |= self._try_rule(search, conversations.filter(is_held=True))
            context["sample"] = model_admin.with_titles(request, context["sample"])
        except QueryTimeout:
            context["is_slow"] = True
        return self.render(self.template, context)

    def _try_rule(self, search: RecordedSearch, held: ConversationQuerySet) -> dict[str, Any]:
        return {
            "sample": search.page(limit=SAMPLE, order="asc").rows,
            "count": CappedCount.cut(search.count(MAX_COUNT + 1), MAX_COUNT),
            "held_count": replace(search, conversations=held).count(MAX_COUNT),
        }


@admin.register(RetentionRule)
class RetentionRuleAdmin(AppModelAdmin):
    """Retention rules. A rule deletes conversations, so that changing one takes the right to delete them."""

    list_display = ("name", "query", "days", "basis", "is_enabled")
    fields = ("name", "query", "days", "basis", "is_enabled")
    ordering = ("name", "id")
    paginator = CappedPaginator
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css",)}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "query":
            kwargs["widget"] = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField", "dir": "ltr"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_urls(self) -> Any:
        return [self.route("<path:object_id>/dry-run/", DryRunView, name="retentionrule_dry_run"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may_delete_conversations(request)

    def has_change_permission(self, request: HttpRequest, obj: RetentionRule | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_delete_conversations(request)

    def _may_delete_conversations(self, request: HttpRequest) -> bool:
        return request.user.has_perm("conversations.delete_conversation") and sees_all_conversations(request)
