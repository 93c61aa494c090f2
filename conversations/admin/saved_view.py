from __future__ import annotations

from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.change_list import VIEW
from conversations.admin.columns import time_column
from conversations.admin.list_form import ListForm
from conversations.admin.paginator import CappedPaginator
from conversations.admin.security import ContentSecurityPolicyMixin
from conversations.admin.view_query import kept, still_known
from conversations.models import Conversation, SavedView

ALL = "all"  # instead of a view: so that the default is not opened


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = SavedView
        fields = ("name", "is_shared", "is_default", "query_string")
        widgets: ClassVar = {"query_string": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"})}

    user: Any

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        owner_id = self.instance.owner_id or self.user.pk
        others = SavedView.objects.filter(owner=owner_id, name=name).exclude(pk=self.instance.pk)
        if others.exists():
            raise forms.ValidationError(_("There is a view of this name: choose another, or delete that one first."))
        return name

    def clean_query_string(self) -> str:
        try:
            return kept(self.cleaned_data["query_string"].strip().removeprefix("?"))
        except SuspiciousOperation as error:
            raise forms.ValidationError(_("These are too many parameters.")) from error


@admin.register(SavedView)
class SavedViewAdmin(ContentSecurityPolicyMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Whoever may see the list has views of their own; superusers see those of all."""

    form = SavedViewForm
    list_display = ("name", "filters", "is_shared", "is_default", "owner", time_column(SavedView, "created_at"))
    list_select_related = ("owner",)
    ordering = ("name", "id")
    paginator = CappedPaginator
    search_fields = ("name",)
    show_full_result_count = False

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css", "conversations/saved_views.css")}

    @admin.display(description=_("filter"))
    def filters(self, view: SavedView) -> str:
        try:
            text = ListForm(QueryDict(view.query_string)).text
        except SuspiciousOperation:
            text = view.query_string
        return format_html('<a href="{}">{}</a>', self._open_url(view), text or gettext("All conversations"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        views = super().get_queryset(request)
        return views if request.user.is_superuser else views.filter(owner=request.user.pk)

    def get_fields(self, request: HttpRequest, obj: SavedView | None = None) -> Any:
        may_share = request.user.has_perm("conversations.share_savedview")
        return ("name", *(("is_shared",) if may_share else ()), "is_default", "query_string")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.user = request.user
        return form

    def save_model(self, request: HttpRequest, obj: SavedView, form: Any, change: bool) -> None:
        if not change:
            obj.owner_id = cast(int, request.user.pk)
        super().save_model(request, obj, form, change)

    def response_post_save_add(self, request: HttpRequest, obj: SavedView) -> HttpResponseRedirect:
        return HttpResponseRedirect(self._open_url(obj))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may_see_the_list(request)

    def has_view_permission(self, request: HttpRequest, obj: SavedView | None = None) -> bool:
        return self._may_see_the_list(request) and (
            obj is None or request.user.is_superuser or obj.owner_id == request.user.pk
        )

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may_see_the_list(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.open_view)
        return [path("<int:object_id>/open/", view, name="conversations_savedview_open"), *super().get_urls()]

    def open_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Leads to the list. What has gone since the view was saved is named and left out."""
        if not self._may_see_the_list(request):
            raise PermissionDenied
        list_url = reverse("admin:conversations_conversation_changelist", current_app=self.admin_site.name)
        view = SavedView.objects.visible_to(request.user).filter(pk=object_id).first()
        if view is None:
            self.message_user(request, gettext("This view is there no more, or is not shared."), messages.WARNING)
            return HttpResponseRedirect(f"{list_url}?{urlencode({VIEW: ALL})}")
        model_admin = self.admin_site.get_model_admin(Conversation)
        query_string, gone = still_known(view.query_string, model_admin=model_admin, request=request)
        if gone:
            told = gettext("The view “%(name)s” asks for what is there no more, and is shown without it: %(gone)s")
            self.message_user(request, told % {"name": view, "gone": "; ".join(gone)}, messages.WARNING)
        parts = [query_string, urlencode({VIEW: view.pk})]
        return HttpResponseRedirect(f"{list_url}?{'&'.join(filter(None, parts))}")

    def _open_url(self, view: SavedView) -> str:
        return reverse("admin:conversations_savedview_open", args=[view.pk], current_app=self.admin_site.name)

    def _may_see_the_list(self, request: HttpRequest) -> bool:
        try:
            model_admin = self.admin_site.get_model_admin(Conversation)
        except NotRegistered:
            return False
        return model_admin.has_view_permission(request)
