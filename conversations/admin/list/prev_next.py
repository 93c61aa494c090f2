"""From one conversation to the next of the list that it was opened from."""

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
from conversations.models import Conversation


class PrevNextLinks:
    """Links to the conversations before and after this one in the list, and to the list with one condition more."""

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
            before = change_list.page(limit=1, before=conversation.pk).conversations
            after = change_list.page(limit=1, after=conversation.pk).conversations
        except QueryTimeout:
            return
        self.previous_url = self._url(before[0]) if before else None
        self.next_url = self._url(after[0]) if after else None

    @property
    def filtered_list_url(self) -> str:
        return f"{self.list_url}?{self._filters}" if self._filters else self.list_url

    def condition_url(self, key: str, value: str) -> str:
        return f"{self.list_url}{self._form.condition_url(key, value)}"

    def _url(self, conversation: Conversation) -> str:
        args = [quote(conversation.pk)]
        url = reverse("admin:conversations_conversation_change", args=args, current_app=self._site)
        return f"{url}?{urlencode({LIST_FILTERS_PARAMETER: self._filters})}" if self._filters else url


def _change_list(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, filters: str
) -> ConversationChangeList | None:
    """The list of this address, of which nothing has been read; None where its filters are none."""
    list_request = copy(request)
    list_request.GET = QueryDict(filters)
    try:
        return model_admin.get_changelist_instance(list_request)  # type: ignore[return-value]
    except (IncorrectLookupParameters, SuspiciousOperation):
        return None
