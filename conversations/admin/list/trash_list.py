"""The list of the trash, and what its search box takes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext

from conversations import ids
from conversations.admin.keyset import CappedCount, KeysetChangeList, ListPage
from conversations.admin.list.change_list import TOO_SLOW
from conversations.admin.list.titles import build_title
from conversations.db.timeouts import QueryTimeout, time_limit
from conversations.errors import APIError
from conversations.models import DeletedConversationQuerySet
from conversations.schema.query.nodes import (
    CreatedCondition,
    MetadataCondition,
    OwnerCondition,
    Query,
    iter_conditions,
)
from conversations.schema.query.parser import parse_query
from conversations.users import find_user
from conversations.validation import QueryRefusal

CONDITIONS = (CreatedCondition, MetadataCondition, OwnerCondition)


class TrashChangeList(KeysetChangeList):
    """Deleted conversations. A search reads every row of the trash in the worst case, and has a time limit."""

    max_seconds: ClassVar[float] = 5
    model_admin: Any  # a DeletedConversationAdmin; this module cannot import the class

    def get_results(self, request: HttpRequest) -> None:
        """Read the page at once, because the message about a search that is too slow stands above the list."""
        super().get_results(request)
        try:
            with self._limit():
                self.page = self.read_list_page()
        except QueryTimeout:
            self.model_admin.message_user(request, TOO_SLOW, messages.WARNING)
            self.page = ListPage([], has_earlier=False, has_later=False)
            return
        messages_by_key = self.model_admin.read_first_messages(request, self.page.rows, query=self.query)
        for row in self.page.rows:
            row.title = build_title(row, messages_by_key.get(row.pk, ""))
        if self.query and not self.page.rows and (reason := refusal_reason(self.query.strip())):
            self.model_admin.message_user(request, reason, messages.WARNING)

    def count_results(self) -> CappedCount:
        try:
            with self._limit():
                return super().count_results()
        except QueryTimeout:
            return CappedCount(len(self.page.rows), is_capped=True)

    def _limit(self) -> AbstractContextManager[None]:
        return time_limit(self.max_seconds, using=self.queryset.db) if self.query else nullcontext()


def search_trash(deleted: DeletedConversationQuerySet, text: str) -> DeletedConversationQuerySet:
    """Filter by a complete id, by conditions of the query language, or by the name of an owner or an end user."""
    if text.startswith(ids.CONVERSATION_PREFIX):
        return deleted.filter(conversation_id=text)
    owner = find_user(text, include_hidden=True)
    names = Q(owner=None, owner_username=text) | Q(end_user=text)
    named = deleted.filter(names | Q(owner=owner) if owner else names)
    query = _parse(text)
    return named if query is None else named | deleted.filter_by_query(query)


def refusal_reason(text: str) -> str:
    """Return why the text is no search by conditions, or "" if it is one or a complete id."""
    if text.startswith(ids.CONVERSATION_PREFIX) or _parse(text) is not None:
        return ""
    try:
        parse_query(text)
    except APIError as error:
        refusal = QueryRefusal(text, error)
        if not refusal.suggestion:
            return str(refusal)
    return gettext("Messages in the trash can't be searched. Search by id, owner, end user, metadata or times.")


def _parse(text: str) -> Query | None:
    """Return the query, or None unless it has only conditions that the trash can answer."""
    try:
        query = parse_query(text)
    except APIError:
        return None
    return query if all(isinstance(each, CONDITIONS) for each in iter_conditions(query)) else None
