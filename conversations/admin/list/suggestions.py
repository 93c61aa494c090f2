"""Suggestions for metadata keys and values while somebody types, from the conversations that the admin shows."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse

from conversations.admin.base import ModelAdminView
from conversations.models import MetadataPair, MetadataPairQuerySet
from conversations.schema.json_limits import UNSTORABLE_CHARACTER

LIMIT = 20


class SuggestionsView(ModelAdminView):
    """Keys that begin with `?prefix=`, or values of `?key=`: `{"data": [text, …], "has_more": …}`, sorted."""

    def get(self, request: HttpRequest) -> JsonResponse:
        if not self.model_admin.has_view_permission(request):
            raise PermissionDenied
        prefix, key = request.GET.get("prefix", ""), request.GET.get("key")
        if UNSTORABLE_CHARACTER.search(f"{prefix}{key}"):
            return JsonResponse({"data": [], "has_more": False})
        pairs = visible_pairs(self.model_admin, request)
        if key is not None:
            pairs = pairs.filter(key=key)
        suggestions = pairs.suggestions("key" if key is None else "value", prefix=prefix, limit=LIMIT)
        return JsonResponse({"data": suggestions.texts, "has_more": suggestions.has_more})


def visible_pairs(model_admin: Any, request: HttpRequest) -> MetadataPairQuerySet:
    """Return the pairs of the conversations that the model admin shows, which may restrict its queryset."""
    conversations: Any = model_admin.get_queryset(request)
    pairs = MetadataPair.objects.all()
    if conversations.query.has_filters():
        pairs = pairs.filter(conversation__in=conversations.order_by().values("pk"))
    return pairs
