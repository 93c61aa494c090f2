"""The conversations that an address of the list selects: those that an export or a deletion is about."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format

from conversations.admin.list.change_list import ConversationChangeList
from conversations.admin.list.parameters import VIEW_PARAMETER
from conversations.db.timeouts import QueryTimeout
from conversations.models import AccessRecord, ConversationQuerySet
from conversations.schema.query.nodes import EVERYTHING, Query, searches_text

MAX_COUNT = ConversationChangeList.max_count
NOT_FILTERS = (VIEW_PARAMETER, ORDER_VAR)


@dataclass
class Selection:
    conversations: ConversationQuerySet
    query: Query = EVERYTHING
    filters: str = ""  # as a person reads them
    time_limit: Callable[[], AbstractContextManager[None]] = nullcontext

    @classmethod
    def from_list(cls, model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> Selection:
        """By the same parameters, read by the same code, as the list that has this query string."""
        try:
            change_list: Any = model_admin.get_changelist_instance(request)
        except IncorrectLookupParameters:  # what the list itself would drop: better none than all
            return cls(model_admin.get_queryset(request).none())  # type: ignore[arg-type]
        others = (f"{name}={value}" for name, value in change_list.form.others if name not in NOT_FILTERS)
        filters = " ".join(filter(None, [change_list.form.text, *others]))
        return cls(change_list.conversations, change_list.query, filters, change_list.query_budget.limit)

    def record_search(self, user: Any) -> None:
        """To be called before anything is told or done: even a number of conversations tells what was said."""
        if searches_text(self.query):
            AccessRecord.objects.record(
                user=user,
                action=AccessRecord.Action.SEARCH,
                query=self.filters,
                conversation_count=self.count,
            )

    @cached_property
    def newest_id(self) -> str:
        """Of the newest conversation, or "" where there is none. Raises `QueryTimeout`."""
        with self.time_limit():
            newest = self.conversations.page(limit=1, order="desc", matching=self.query).conversations
        return newest[0].pk if newest else ""

    @property
    def count(self) -> int | None:
        """None where it takes too long to count them."""
        return None if self._counted is None else min(self._counted, MAX_COUNT)

    @property
    def is_capped(self) -> bool:
        return self._counted is not None and self._counted > MAX_COUNT

    @property
    def shown_count(self) -> str:
        return f"{number_format(self.count or 0, force_grouping=True)}{'+' if self.is_capped else ''}"

    @cached_property
    def _counted(self) -> int | None:
        try:
            with self.time_limit():
                return self.conversations.capped_count(MAX_COUNT + 1, matching=self.query)
        except QueryTimeout:
            return None


def list_url(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> str:
    """Of the list that has this query string."""
    url = reverse("admin:conversations_conversation_changelist", current_app=model_admin.admin_site.name)
    return f"{url}?{request.GET.urlencode()}" if request.GET else url
