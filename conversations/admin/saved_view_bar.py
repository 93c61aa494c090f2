from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from conversations.admin.change_list import VIEW
from conversations.admin.preferences import chosen
from conversations.admin.saved_view import ALL
from conversations.admin.view_query import kept, without_columns
from conversations.models import SavedView

MAX_SHOWN = 100


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
        query_string = kept(request.GET.urlencode())
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
            "all_conversations_url": f"?{urlencode({VIEW: ALL})}",
            "shows_all_conversations": not shown,
            "view_to_save": "&".join(filter(None, [shown, self._columns(request)])),
            "may_share_views": request.user.has_perm("conversations.share_savedview"),
        }

    def _columns(self, request: HttpRequest) -> str:
        """Those chosen, as an address tells them, or nothing where there was no choice."""
        columns = chosen(request, "columns", None)
        if columns is None:
            return ""
        return urlencode({"columns": columns["names"] or [""], "column_key": columns["keys"]}, doseq=True)
