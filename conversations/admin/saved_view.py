"""Saved views: named query strings of the conversation list, with a list of their own and a bar above that list."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, cast
from urllib.parse import parse_qsl

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import AppModelAdmin
from conversations.admin.keyset import CappedPaginator
from conversations.admin.list.cells import COLUMNS
from conversations.admin.list.filter_form import ListForm
from conversations.admin.list.parameters import (
    COLUMN_PARAMETERS,
    CONDITION_PARAMETERS,
    UNSAVED_PARAMETERS,
    VIEW_PARAMETER,
)
from conversations.admin.times import time_column
from conversations.models import Conversation, SavedView

CREATED = time_column(SavedView, "created_at", is_relative=True)
ALL_CONVERSATIONS = "all"  # in place of the id of a view: keeps the default view from opening
REPLACED_COLUMN = ("columns", "first_message")  # The title of each row is the first message.
MAX_VIEWS = 100  # links above the list
FIRST_VIEWS = 5  # links that are not folded


def saveable_query_string(query_string: str) -> str:
    """Return its filters, order and columns, without cursors. Raise `SuspiciousOperation` if there are too many."""
    parameters = _parameters(query_string)
    form = ListForm(parameters)
    return parameters.urlencode() if form.is_uneven else form.url().removeprefix("?")


def without_columns(query_string: str) -> str:
    """Return the query string that the list has after it saved and removed the columns."""
    pairs = parse_qsl(query_string, keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if name not in COLUMN_PARAMETERS])


def drop_unknown_parameters(query_string: str, *, model_admin: Any, request: HttpRequest) -> tuple[str, list[str]]:
    """Return the part of the query string that the list understands, and labels of the parameters that it does not.

    Owners, operators, columns and filters may have disappeared since the view was saved. Each condition is validated
    by itself, so that an invalid one affects no other.
    """
    try:
        form = ListForm(_parameters(query_string))
    except SuspiciousOperation:
        return "", [gettext("all its filters")]
    known: list[tuple[str, str]] = []
    unknown: list[str] = []
    for chip in form.chips:
        is_incomplete = form.is_uneven and chip.pairs[0][0] in CONDITION_PARAMETERS
        if not is_incomplete and ListForm(QueryDict(urlencode([*known, *chip.pairs]))).is_valid():
            known += chip.pairs
        else:
            unknown.append(chip.label)
    for name, value in form.others:
        if (name, value) == REPLACED_COLUMN:
            continue
        if _is_parameter(name, value, model_admin, request):
            known.append((name, value))
        else:
            unknown.append(f"{name}: {value}")
    return urlencode(known), unknown


def _parameters(query_string: str) -> QueryDict:
    parameters = QueryDict(query_string, mutable=True)
    for name in UNSAVED_PARAMETERS:
        parameters.pop(name, None)
    return parameters


def _is_parameter(name: str, value: str, model_admin: Any, request: HttpRequest) -> bool:
    """Whether the list accepts a parameter that is not in its form: columns, the order, a filter of `list_filter`."""
    if name in COLUMN_PARAMETERS:
        return name != "columns" or value in ("", *COLUMNS)
    list_request = copy(request)
    list_request.GET = QueryDict(urlencode({name: value}))
    try:
        model_admin.get_changelist_instance(list_request)
    except (IncorrectLookupParameters, SuspiciousOperation):
        return False
    return True


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = SavedView
        fields = ("name", "is_shared", "is_default", "query_string")
        widgets: ClassVar = {
            "query_string": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField", "dir": "ltr"})
        }

    user: Any

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        owner_id = self.instance.owner_id or self.user.pk
        if SavedView.objects.filter(owner=owner_id, name=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("A view with this name exists."))
        return name

    def clean_query_string(self) -> str:
        try:
            query_string = saveable_query_string(self.cleaned_data["query_string"].strip().removeprefix("?"))
            search_errors = ListForm(QueryDict(query_string)).errors.get("q")
        except SuspiciousOperation as error:
            raise forms.ValidationError(_("Too many conditions.")) from error
        if search_errors:
            raise forms.ValidationError(list(search_errors))
        return query_string


@admin.register(SavedView)
class SavedViewAdmin(AppModelAdmin):
    """Saved views of the user, who may view the conversation list. Superusers see the views of all users."""

    form = SavedViewForm
    list_display = ("name", "filters", "is_shared", "is_default", "owner", CREATED)
    list_select_related = ("owner",)
    ordering = ("name", "id")
    paginator = CappedPaginator
    readonly_fields = ("filters",)
    search_fields = ("name",)
    show_full_result_count = False

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css", "conversations/saved_views.css")}

    @admin.display(description=_("filter"))
    def filters(self, view: SavedView) -> str:
        try:
            text = ListForm(QueryDict(view.query_string)).title
        except SuspiciousOperation:
            text = view.query_string  # too many parameters for the form
        return format_html('<a href="{}">{}</a>', self._open_url(view), text or gettext("All conversations"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        views = super().get_queryset(request)
        return views if request.user.is_superuser else views.filter(owner=request.user.pk)

    def get_fieldsets(self, request: HttpRequest, obj: SavedView | None = None) -> Any:
        may_share = request.user.has_perm("conversations.share_savedview")
        fields = ("name", *(("is_shared",) if may_share else ()), "is_default")
        if obj is None:
            return [(None, {"fields": (*fields, "query_string")})]
        parameters = {"classes": ("collapse",), "fields": ("query_string",)}
        return [(None, {"fields": (*fields, "filters")}), (_("URL parameters"), parameters)]

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
        return self._may_view_list(request)

    def has_view_permission(self, request: HttpRequest, obj: SavedView | None = None) -> bool:
        return self._may_view_list(request) and (
            obj is None or request.user.is_superuser or obj.owner_id == request.user.pk
        )

    has_change_permission = has_delete_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may_view_list(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.open_view)
        return [path("<int:object_id>/open/", view, name="conversations_savedview_open"), *super().get_urls()]

    def open_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Redirect to the list with the view's parameters, except unknown ones, which a message names."""
        if not self._may_view_list(request):
            raise PermissionDenied
        list_url = reverse("admin:conversations_conversation_changelist", current_app=self.admin_site.name)
        query_string = load_query_string(object_id, self.admin_site.get_model_admin(Conversation), request)
        if query_string is None:
            return HttpResponseRedirect(f"{list_url}?{urlencode({VIEW_PARAMETER: ALL_CONVERSATIONS})}")
        view_parameter = urlencode({VIEW_PARAMETER: object_id})
        return HttpResponseRedirect(f"{list_url}?{'&'.join(filter(None, [query_string, view_parameter]))}")

    def _open_url(self, view: SavedView) -> str:
        return reverse("admin:conversations_savedview_open", args=[view.pk], current_app=self.admin_site.name)

    def _may_view_list(self, request: HttpRequest) -> bool:
        try:
            model_admin = self.admin_site.get_model_admin(Conversation)
        except NotRegistered:
            return False
        return model_admin.has_view_permission(request)


def load_query_string(view_id: int, model_admin: Any, request: HttpRequest) -> str | None:
    """Return the part of the view's query string that the list understands, or None if the user may not see the view.

    A message tells what is left out.
    """
    view = SavedView.objects.visible_to(request.user).filter(pk=view_id).first()
    if view is None:
        text = gettext("This view was deleted or is no longer shared.")
        model_admin.message_user(request, text, messages.WARNING)
        return None
    query_string, unknown = drop_unknown_parameters(view.query_string, model_admin=model_admin, request=request)
    if unknown:
        text = gettext("View “%(name)s” refers to something that no longer exists and ignores it: %(unknown)s")
        model_admin.message_user(request, text % {"name": view, "unknown": "; ".join(unknown)}, messages.WARNING)
    return query_string


@dataclass(frozen=True)
class ViewLink:
    """A saved view in the bar above the list."""

    view: SavedView
    is_own: bool
    is_current: bool  # the list shows this view, unchanged


def default_view_url(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> str | None:
    """Return the URL that opens the user's default view, or None if the list should appear instead.

    Only a URL without parameters opens the default view. The link to all conversations has one.
    """
    if request.GET or not model_admin.admin_site.is_registered(SavedView):
        return None
    view = SavedView.objects.default_of(request.user)
    if view is None or not model_admin.has_view_permission(request):
        return None
    return reverse("admin:conversations_savedview_open", args=[view.pk], current_app=model_admin.admin_site.name)


def view_bar_context(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> dict[str, Any]:
    """Return the template context of the saved views above the list: empty if the site has no saved views."""
    if not model_admin.admin_site.is_registered(SavedView):
        return {}
    query_string = without_columns(saveable_query_string(request.GET.urlencode()))
    views = SavedView.objects.visible_to(request.user).select_related("owner").order_by("name", "pk")[:MAX_VIEWS]
    links = [
        ViewLink(
            view,
            is_own=view.owner_id == request.user.pk,
            is_current=request.GET.get(VIEW_PARAMETER) == str(view.pk)
            and without_columns(view.query_string) == query_string,
        )
        for view in views
    ]
    in_view = [link for number, link in enumerate(links) if number < FIRST_VIEWS or link.is_current]
    return {
        "saved_views": in_view,
        "folded_views": [link for link in links if link not in in_view],
        "all_conversations_url": f"?{urlencode({VIEW_PARAMETER: ALL_CONVERSATIONS})}",
        "shows_all_conversations": not query_string,
        "may_share_views": request.user.has_perm("conversations.share_savedview"),
    }
