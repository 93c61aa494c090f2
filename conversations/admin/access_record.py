from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import AppModelAdmin
from conversations.admin.filters import FilterForm, FormFilter
from conversations.admin.keyset import CappedPaginator, KeysetChangeList
from conversations.admin.list.columns import time_column
from conversations.models import AccessRecord


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


@admin.register(AccessRecord)
class AccessRecordAdmin(AppModelAdmin):
    """The access log. It is read-only: not even a superuser may add, change or delete an entry."""

    list_display: Any = (
        time_column(AccessRecord, "created_at"),
        "username",
        "action",
        "conversation_id",
        "query",
        "conversation_count",
    )
    fields: ClassVar[Any] = list_display
    readonly_fields: ClassVar[Any] = list_display
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

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessRecord | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AccessRecord | None = None) -> bool:
        return False
