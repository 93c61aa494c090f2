"""Keys and values for completion as one types, from the conversations that the admin shows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path

from conversations.models import MetadataPair, MetadataPairQuerySet
from conversations.schema.json_limits import UNSTORABLE_CHARACTER

LIMIT = 20


class SuggestionsMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.suggestions_view)
        return [path("suggestions/", view, name="conversations_conversation_suggestions"), *super().get_urls()]

    def suggestions_view(self, request: HttpRequest) -> JsonResponse:
        """`?prefix=` of keys, or with `key=` of its values: `{"data": […], "has_more": …}`, sorted."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        prefix, key = request.GET.get("prefix", ""), request.GET.get("key")
        if UNSTORABLE_CHARACTER.search(f"{prefix}{key}"):
            return JsonResponse({"data": [], "has_more": False})
        pairs = self._visible_pairs(request)
        if key is not None:
            pairs = pairs.filter(key=key)
        found = pairs.suggestions("key" if key is None else "value", prefix=prefix, limit=LIMIT)
        return JsonResponse({"data": found.texts, "has_more": found.has_more})

    def _visible_pairs(self, request: HttpRequest) -> MetadataPairQuerySet:
        conversations: Any = self.get_queryset(request)
        pairs = MetadataPair.objects.all()
        if conversations.query.has_filters():
            pairs = pairs.filter(conversation__in=conversations.order_by().values("pk"))
        return pairs
