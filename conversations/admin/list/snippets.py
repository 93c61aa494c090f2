"""Searching for what items say: for those who may read it, and with a record of each search."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from conversations.admin import permissions
from conversations.admin.list.prev_next import FILTERS
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, Item, ItemText
from conversations.schema.query.nodes import Query, searches_text


class TextSearchMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    class Media:
        css: ClassVar = {"all": ("conversations/snippets.css",)}

    def has_read_content_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return permissions.may_read_content(request)

    def check_query(self, request: HttpRequest, query: Query) -> None:
        """To be called before anything is looked for: even a number of conversations tells what was said."""
        if searches_text(query) and not self.has_read_content_permission(request):
            raise APIError(permissions.missing_permission_message(), status=403)

    def record_search(
        self, request: HttpRequest, query: Query, *, query_text: str, conversation_count: int | None = None
    ) -> None:
        """To be called before it is told what was found, of every search for what items say."""
        if searches_text(query):
            AccessRecord.objects.record(
                user=request.user,
                action=AccessRecord.Action.SEARCH,
                query=query_text,
                conversation_count=conversation_count,
            )

    def add_snippets(
        self, request: HttpRequest, conversations: Iterable[Conversation], *, query: Query, query_text: str
    ) -> None:
        """Where something was searched for, a record tells of it, written before any snippet is read."""
        if not searches_text(query):
            return
        readable = [row for row in conversations if self.has_read_content_permission(request, row)]
        self.record_search(request, query, query_text=query_text, conversation_count=len(readable))
        conversation_ids = [conversation.pk for conversation in readable]
        found = ItemText.objects.snippets(query, items=Item.objects.all(), conversation_ids=conversation_ids)
        for conversation in readable:
            if snippet := found.get(conversation.pk):
                added: Any = conversation
                added.snippet = snippet
                added.snippet_url = self._item_url(request, conversation, snippet.item_id)

    def _item_url(self, request: HttpRequest, conversation: Conversation, item_id: str) -> str:
        url = reverse(
            "admin:conversations_conversation_change",
            args=[quote(conversation.pk)],
            current_app=self.admin_site.name,
        )
        parameters = {"item": item_id, FILTERS: request.GET.urlencode()}
        return f"{url}?{urlencode(parameters)}#item_{item_id}"
