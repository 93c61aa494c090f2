"""The conversations that an export or a bulk deletion is about, selected by the URL parameters of the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR
from django.http import HttpRequest
from django.urls import reverse

from conversations.admin.content.search import RecordedSearch
from conversations.admin.keyset import CappedCount
from conversations.admin.list.change_list import STRICT_SEARCH, ConversationChangeList
from conversations.admin.list.parameters import VIEW_PARAMETER
from conversations.db.timeouts import QueryTimeout
from conversations.models import Conversation

MAX_COUNT = ConversationChangeList.max_count
NOT_FILTERS = (VIEW_PARAMETER, ORDER_VAR)


@dataclass
class Selection:
    """Conversations that a search finds, with their number for the page that asks for confirmation."""

    search: RecordedSearch
    error: str = ""  # why the filters are invalid, so that they select nothing
    note: str = ""  # why words of the filters are not looked up in messages
    conditions: Sequence[str] = ()  # the filters as the list shows them

    @classmethod
    def from_list(cls, model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> Selection:
        """Return the conversations of the list with this query string, read by the code of the list itself.

        The search has to be in the strict mode of the query language: nobody has seen how another text is read.
        """
        list_request = copy(request)
        setattr(list_request, STRICT_SEARCH, True)
        try:
            change_list: Any = model_admin.get_changelist_instance(list_request)
        except IncorrectLookupParameters:  # The list would drop its filters: select nothing rather than everything.
            return cls(RecordedSearch(model_admin, request, model_admin.get_queryset(request).none()))  # type: ignore[arg-type]
        other_filters = [f"{name}={value}" for name, value in change_list.form.others if name not in NOT_FILTERS]
        filters = " ".join(filter(None, [change_list.form.text, *other_filters]))
        messages = chain(
            *change_list.form.errors.values(),
            *(errors for condition in change_list.form.conditions for errors in condition.errors.values()),
        )
        search = replace(change_list.search, text=filters)
        conditions = [*(chip.label for chip in change_list.form.chips), *other_filters]
        return cls(search, error=" ".join(messages), note=change_list.words_note, conditions=conditions)

    @property
    def filters(self) -> str:
        return self.search.text

    @cached_property
    def count(self) -> CappedCount | None:
        """The number of conversations, counted up to `MAX_COUNT`, or None if counting takes too long."""
        return self.search.read(self._count_in_time, count=lambda count: count.number if count else None)

    def find_newest_id(self) -> str:
        """Return the id of the newest conversation, or "" if there is none. Raise `QueryTimeout`."""
        if self.search.searches_content:
            _ = self.count  # Count first, so that the access record has the number.
        newest = self.search.page(limit=1, order="desc").rows
        return newest[0].pk if newest else ""

    def oldest_first(self, *, newest_id: str, after: str, batch: int) -> Iterator[Conversation]:
        """Yield the conversations from the one after `after` up to `newest_id`, `batch` of them in one query.

        If `after` is given, an earlier request has recorded the search and deleted the conversations before it.
        """
        if after:
            self.search.is_recorded = True
        elif self.search.searches_content:
            _ = self.count  # Count first, so that the access record has the number.
        return self.search.oldest_first(newest_id=newest_id, after=after, batch=batch)

    def _count_in_time(self) -> CappedCount | None:
        try:
            return CappedCount.cut(self.search.count(MAX_COUNT + 1), MAX_COUNT)
        except QueryTimeout:
            return None


def list_url(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> str:
    """Return the URL of the list with this query string."""
    url = reverse("admin:conversations_conversation_changelist", current_app=model_admin.admin_site.name)
    return f"{url}?{request.GET.urlencode()}" if request.GET else url
