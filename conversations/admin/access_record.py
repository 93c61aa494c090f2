from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import AppModelAdmin
from conversations.admin.charts import format_count
from conversations.admin.filters import FilterForm, FormFilter
from conversations.admin.keyset import CappedPaginator, KeysetChangeList
from conversations.admin.list.times import format_time, time_column
from conversations.models import AccessRecord

FIELDS = ("username", "action", "conversation_id", "query", "count", "detail_list")
ERASURE_TIMES = ("started", "finished")  # in the details of an erasure


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


def render_details(record: AccessRecord) -> str:
    """Return the details as an HTML list, and of a change of metadata the pairs that differ."""
    details = record.details or {}
    if record.action == AccessRecord.Action.METADATA and details:
        old, new = details["old"], details["new"]
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        lines = [(key, _quote(old.get(key)), _quote(new.get(key))) for key in changed]
        rows = format_html_join("", "<li><b>{}</b>: {} → {}</li>", lines)
    else:
        values = ((key, value) for key, value in details.items() if value is not None)
        times = ERASURE_TIMES if record.action == AccessRecord.Action.ERASURE else ()
        texts = ((key, _format_time(value) if key in times else _join(value)) for key, value in values)
        rows = format_html_join("", "<li><b>{}</b>: {}</li>", texts)
    return format_html('<ul class="conversations-pairs">{}</ul>', rows) if rows else ""


def _format_time(text: str) -> str:
    return format_time(datetime.fromisoformat(text))


def _join(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value


def _quote(value: str | None) -> str:
    return gettext("not set") if value is None else f"“{value}”"


@admin.register(AccessRecord)
class AccessRecordAdmin(AppModelAdmin):
    """The access log. It is read-only: not even a superuser may add, change or delete an entry."""

    list_display: Any = (time_column(AccessRecord, "created_at", is_relative=True), *FIELDS)
    fields: ClassVar[Any] = (time_column(AccessRecord, "created_at"), *FIELDS)
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
        return "-" if record.conversation_count is None else format_count(record.conversation_count)

    @admin.display(description=_("details"))
    def detail_list(self, record: AccessRecord) -> str:
        return render_details(record)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessRecord | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AccessRecord | None = None) -> bool:
        return False
