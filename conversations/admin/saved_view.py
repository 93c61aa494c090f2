from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, cast
from urllib.parse import parse_qsl

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.csp import ContentSecurityPolicyMixin
from conversations.admin.display_preferences import get_preference
from conversations.admin.keyset import CURSOR_PARAMETERS, CappedPaginator
from conversations.admin.list.change_list import LOOK_ON, OPEN, VIEW
from conversations.admin.list.columns import COLUMNS, time_column
from conversations.admin.list.conditions import NAMES
from conversations.admin.list.filter_form import ListForm
from conversations.models import Conversation, SavedView

COLUMN_PARAMETERS = ("columns", "column_key")
NOT_KEPT = (
    *CURSOR_PARAMETERS,
    VIEW,
    OPEN,
    LOOK_ON,
    "shortcuts",
    PAGE_VAR,
    ERROR_FLAG,
    ALL_VAR,
    IS_POPUP_VAR,
    TO_FIELD_VAR,
)
ALL_CONVERSATIONS = "all"  # instead of a view: so that the default is not opened
MAX_SHOWN = 100


def saveable_query_string(query_string: str) -> str:
    """Filters, order and columns, but no place in the list. Raises `SuspiciousOperation` where there are too many."""
    parameters = _parameters(query_string)
    form = ListForm(parameters)
    return parameters.urlencode() if form.uneven else form.url().removeprefix("?")


def without_columns(query_string: str) -> str:
    """What a view's address has of it once the columns are in the session."""
    pairs = parse_qsl(query_string, keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if name not in COLUMN_PARAMETERS])


def drop_unknown_parameters(query_string: str, *, model_admin: Any, request: HttpRequest) -> tuple[str, list[str]]:
    """The part of the query string that the list understands, and the rest as a person reads it.

    Owners, operators, columns and filters may be gone since it was saved. Each condition is judged by itself, so that
    one that is gone takes no other along.
    """
    try:
        form = ListForm(_parameters(query_string))
    except SuspiciousOperation:
        return "", [gettext("all of it")]
    known: list[tuple[str, str]] = []
    gone: list[str] = []
    for chip in form.chips:
        is_half = form.uneven and chip.pairs[0][0] in NAMES
        if not is_half and ListForm(QueryDict(urlencode([*known, *chip.pairs]))).is_valid():
            known += chip.pairs
        else:
            gone.append(chip.label)
    for name, value in form.others:
        if _is_parameter(name, value, model_admin, request):
            known.append((name, value))
        else:
            gone.append(f"{name}: {value}")
    return urlencode(known), gone


def _parameters(query_string: str) -> QueryDict:
    parameters = QueryDict(query_string, mutable=True)
    for name in NOT_KEPT:
        parameters.pop(name, None)
    return parameters


def _is_parameter(name: str, value: str, model_admin: Any, request: HttpRequest) -> bool:
    if name in COLUMN_PARAMETERS:
        return name != "columns" or value in ("", *COLUMNS)
    asked = copy(request)
    asked.GET = QueryDict(urlencode({name: value}))
    try:
        model_admin.get_changelist_instance(asked)
    except (IncorrectLookupParameters, SuspiciousOperation):
        return False
    return True


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
            return saveable_query_string(self.cleaned_data["query_string"].strip().removeprefix("?"))
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
            return HttpResponseRedirect(f"{list_url}?{urlencode({VIEW: ALL_CONVERSATIONS})}")
        model_admin = self.admin_site.get_model_admin(Conversation)
        query_string, gone = drop_unknown_parameters(view.query_string, model_admin=model_admin, request=request)
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


@dataclass(frozen=True)
class ShownView:
    view: SavedView
    is_own: bool
    is_current: bool


class SavedViewsMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The views above the list, and the one that opens it where its address asks for nothing."""

    class Media:
        css: ClassVar = {"all": ("conversations/saved_views.css",)}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "GET" and not request.GET and self._has_saved_views():
            view = SavedView.objects.default_of(request.user)
            if view is not None and self.has_view_permission(request):
                url = reverse("admin:conversations_savedview_open", args=[view.pk], current_app=self.admin_site.name)
                return HttpResponseRedirect(url)
        context = self._saved_views(request) if self._has_saved_views() else {}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def _has_saved_views(self) -> bool:
        return self.admin_site.is_registered(SavedView)

    def _saved_views(self, request: HttpRequest) -> dict[str, Any]:
        query_string = saveable_query_string(request.GET.urlencode())
        shown = without_columns(query_string)
        views = SavedView.objects.visible_to(request.user).select_related("owner").order_by("name", "pk")[:MAX_SHOWN]
        return {
            "saved_views": [
                ShownView(
                    view,
                    is_own=view.owner_id == request.user.pk,
                    is_current=request.GET.get(VIEW) == str(view.pk) and without_columns(view.query_string) == shown,
                )
                for view in views
            ],
            "all_conversations_url": f"?{urlencode({VIEW: ALL_CONVERSATIONS})}",
            "shows_all_conversations": not shown,
            "view_to_save": "&".join(filter(None, [shown, self._columns(request)])),
            "may_share_views": request.user.has_perm("conversations.share_savedview"),
        }

    def _columns(self, request: HttpRequest) -> str:
        """Those chosen, as an address tells them, or nothing where there was no choice."""
        columns = get_preference(request, "columns", None)
        if columns is None:
            return ""
        return urlencode({"columns": columns["names"] or [""], "column_key": columns["keys"]}, doseq=True)
