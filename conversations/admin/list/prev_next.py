"""Links from one conversation to its neighbours in the list that it was opened from."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import quote
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from conversations.admin.list.change_list import ConversationChangeList
from conversations.admin.list.filter_form import ListForm
from conversations.admin.list.parameters import LIST_FILTERS_PARAMETER
from conversations.db.timeouts import QueryTimeout
from conversations.errors import APIError
from conversations.models import Conversation


class PrevNextLinks:
    """Links to the previous and next conversation of the list, to the list, and to the list with one more condition.

    There is no previous or next link if the filters of the list are invalid, the search takes too long, or the list is
    in the order of activity and does not have the conversation.
    """

    def __init__(self, model_admin: admin.ModelAdmin[Any], request: HttpRequest, conversation: Conversation) -> None:
        self._site = model_admin.admin_site.name
        self._filters = request.GET.get(LIST_FILTERS_PARAMETER, "")
        change_list = _change_list(model_admin, request, self._filters)
        self.list_url = reverse("admin:conversations_conversation_changelist", current_app=self._site)
        self.previous_url = self.next_url = None
        self._form = change_list.form if change_list else ListForm(QueryDict())
        if change_list is None:
            return
        try:
            previous_page = change_list.read_matches(limit=1, before=conversation.pk)
            next_page = change_list.read_matches(limit=1, after=conversation.pk)
        except (QueryTimeout, APIError):  # In the order of activity, the cursor has to be in the list.
            return
        self.previous_url = self._url_of_first(previous_page.rows)
        self.next_url = self._url_of_first(next_page.rows)

    @property
    def filtered_list_url(self) -> str:
        return f"{self.list_url}?{self._filters}" if self._filters else self.list_url

    def condition_url(self, key: str, value: str) -> str:
        return f"{self.list_url}{self._form.condition_url(key, value)}"

    def _url_of_first(self, conversations: list[Conversation]) -> str | None:
        if not conversations:
            return None
        args = [quote(conversations[0].pk)]
        url = reverse("admin:conversations_conversation_change", args=args, current_app=self._site)
        return f"{url}?{urlencode({LIST_FILTERS_PARAMETER: self._filters})}" if self._filters else url


def _change_list(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, filters: str
) -> ConversationChangeList | None:
    """Return the list with these filters before it has read any rows, or None if the filters are invalid."""
    list_request = copy(request)
    list_request.GET = QueryDict(filters)
    try:
        return model_admin.get_changelist_instance(list_request)  # type: ignore[return-value]
    except (IncorrectLookupParameters, SuspiciousOperation):
        return None
