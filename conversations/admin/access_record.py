from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from conversations.admin.actions.record_details import render_details
from conversations.admin.actions.record_filter import describe_filter
from conversations.admin.base import EMPTY, AppModelAdmin, page_url
from conversations.admin.charts import format_count
from conversations.admin.filters import FilterForm, FormFilter
from conversations.admin.keyset import CappedPaginator, KeysetChangeList
from conversations.admin.list.titles import shorten_id
from conversations.admin.times import time_column
from conversations.models import AccessRecord, Conversation

CREATED = time_column(AccessRecord, "created_at", is_relative=True)
DETAILS = ("count", "detail_list")


class UserForm(FilterForm):
    user = forms.CharField(label=_("Username"), max_length=AccessRecord._meta.get_field("username").max_length)


class UserFilter(FormFilter):
    """Filter by the recorded username, which also finds users who were deleted since."""

    title = _("user")
    form_class = UserForm

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_active:
            return queryset
        return queryset.filter(username=self.form.cleaned_data["user"]) if self.form.is_valid() else queryset.none()


class AccessRecordChangeList(KeysetChangeList):
    """The access log, whose ids of conversations are links if the user may see these conversations."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.request = request

    @cached_property
    def result_list(self) -> list[Any]:
        rows = super().result_list
        add_conversation_urls(rows, site=self.model_admin.admin_site, request=self.request)
        return rows


def add_conversation_urls(records: Iterable[Any], *, site: admin.AdminSite, request: HttpRequest) -> None:
    """Set `conversation_url` of records whose conversation exists and may be seen by the user, in one query."""
    ids = {record.conversation_id for record in records} - {""}
    model_admin: Any = site.get_model_admin(Conversation) if site.is_registered(Conversation) else None
    if not ids or not model_admin or not model_admin.has_view_or_change_permission(request):
        return
    found = set(model_admin.get_queryset(request).filter(pk__in=ids).order_by().values_list("pk", flat=True))
    for record in records:
        if record.conversation_id in found:
            record.conversation_url = page_url(model_admin, record.conversation_id)


def _link(record: Any, text: str) -> str:
    """Return the text, linked to the conversation and with its whole id on hover."""
    if not text:
        return EMPTY
    if url := getattr(record, "conversation_url", ""):
        return format_html('<a href="{}" title="{}">{}</a>', url, record.conversation_id, text)
    return format_html('<span title="{}">{}</span>', record.conversation_id, text)


@admin.register(AccessRecord)
class AccessRecordAdmin(AppModelAdmin):
    """The access log. It is read-only: not even a superuser may add, change or delete an entry."""

    list_display: Any = (CREATED, "username", "action", "conversation", "filter_text", *DETAILS)
    fields: ClassVar[Any] = (
        time_column(AccessRecord, "created_at"),
        "username",
        "action",
        "whole_id",
        "query",
        *DETAILS,
    )
    readonly_fields: ClassVar[Any] = fields
    list_filter = (UserFilter, "action")
    ordering = ("-id",)
    paginator = CappedPaginator
    search_fields = ("conversation_id__exact",)
    search_help_text = _("A complete conversation id")
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css", "conversations/access_record.css")}

    @admin.display(description=AccessRecord._meta.get_field("conversation_count").verbose_name)
    def count(self, record: AccessRecord) -> str:
        return EMPTY if record.conversation_count is None else format_count(record.conversation_count)

    @admin.display(description=AccessRecord._meta.get_field("conversation_id").verbose_name)
    def conversation(self, record: AccessRecord) -> str:
        return _link(record, shorten_id(record.conversation_id))

    @admin.display(description=AccessRecord._meta.get_field("conversation_id").verbose_name)
    def whole_id(self, record: AccessRecord) -> str:
        return _link(record, record.conversation_id)

    @admin.display(description=AccessRecord._meta.get_field("query").verbose_name)
    def filter_text(self, record: AccessRecord) -> str:
        """Return the filter in words. The page of the entry has it as it is stored."""
        text = describe_filter(record.query)
        return format_html('<span title="{}">{}</span>', record.query, text) if text else EMPTY

    @admin.display(description=_("details"))
    def detail_list(self, record: AccessRecord) -> str:
        return render_details(record)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> AccessRecord | None:
        record: AccessRecord | None = super().get_object(request, object_id, from_field)
        if record:
            add_conversation_urls([record], site=self.admin_site, request=request)
        return record

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[AccessRecordChangeList]:
        return AccessRecordChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessRecord | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AccessRecord | None = None) -> bool:
        return False
