from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.admin.content.previews import PREVIEW_COLUMNS, read_previews
from conversations.admin.content.search import RecordedSearch
from conversations.admin.keyset import KeysetChangeList, KeysetPage, PageRows
from conversations.admin.list.filter_form import ListForm
from conversations.admin.list.parameters import (
    CONDITION_PARAMETERS,
    FIELD_PARAMETERS,
    OPEN_PARAMETER,
    PATIENT_PARAMETER,
    PREFERENCE_PARAMETERS,
    VIEW_PARAMETER,
    VISIT_PARAMETERS,
)
from conversations.admin.list.query_budget import QueryBudget
from conversations.admin.list.snippets import add_snippets
from conversations.db.timeouts import QueryTimeout
from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet
from conversations.schema.query.nodes import EVERYTHING, MetadataCondition, Query, conditions, is_bounded
from conversations.search.planner import ConversationPage

NOT_AT_ONCE = _("This can't be found out at once. A condition that few conversations meet, or dates, would help.")
TOO_LONG = _("This takes too long to find out. Add a condition that few conversations meet, or dates.")

Order = Literal["asc", "desc"]
REVERSED: Mapping[Order, Order] = {"asc": "desc", "desc": "asc"}


class ConversationChangeList(KeysetChangeList):
    """The conversations that match `query` among `conversations`, read in their order a page at a time.

    What a filter of the host's own leaves (`list_filter`) is in `conversations` too. Where anything that was asked
    makes no sense there are none. Nothing of a page is read before it is asked for.
    """

    max_count_unbounded: ClassVar[int] = 1_000  # where no index finds what is asked for, and rows are read for nothing
    max_count_of_text: ClassVar[int] = 1_000  # where one conversation after the other is looked through
    # Where no index leads to each hit, for the rows and their number together, before they are given up.
    max_seconds: ClassVar[float] = 0.2
    max_patient_seconds: ClassVar[float] = 5
    max_count_seconds: ClassVar[float] = 0.2  # of them, for the number
    form_class: ClassVar[type[ListForm]] = ListForm

    model_admin: Any  # ConversationAdmin, which this module cannot import
    search: RecordedSearch
    form: ListForm
    has_given_up = False
    _is_uncounted = False

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Conversation]:
        """Those that match, for actions. It is read by `result_list` alone in a way that is always fast."""
        self.request = request
        self.is_patient = PATIENT_PARAMETER in request.GET
        parameters = request.GET.copy()
        for name in (*VISIT_PARAMETERS, *PREFERENCE_PARAMETERS):
            parameters.pop(name, None)
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        self.form = self.form_class(parameters)
        self.query = ""  # Django's search text; here the form has it
        conversations: Any = super().get_queryset(request, exclude_parameters)
        self.has_active_filters = self.has_active_filters or bool(self.form.chips)
        try:
            if self.form.is_valid():
                self.search = self._create_search(self.form.apply_filters(conversations), self.form.query)
                return self.search.action_queryset()
        except APIError as error:
            self.form.add_error(None, error.message)
        self.search = self._create_search(conversations.none(), EVERYTHING)
        return self.search.conversations

    def _create_search(self, conversations: ConversationQuerySet, query: Query) -> RecordedSearch:
        seconds = self.max_patient_seconds if self.is_patient else self.max_seconds
        budget = QueryBudget(query, seconds=seconds, using=conversations.db)
        return RecordedSearch(
            self.model_admin, self.request, conversations, query, text=self.form.text, limit=budget.limit
        )

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        filters: dict[str, Any] = super().get_filters_params(params)
        handled = (*FIELD_PARAMETERS, *CONDITION_PARAMETERS, VIEW_PARAMETER)
        return {name: value for name, value in filters.items() if name not in handled}

    @property
    def order(self) -> Order:
        columns = self.get_ordering_field_columns()
        directions = [way for column, way in columns.items() if self.list_display[column : column + 1] == ["id"]]
        return "asc" if directions == ["asc"] else "desc"

    def page(
        self, *, limit: int, after: str | None = None, before: str | None = None, is_reversed: bool = False
    ) -> ConversationPage[Conversation]:
        """Raises `QueryTimeout`."""
        order = REVERSED[self.order] if is_reversed else self.order
        return self.search.page(limit=limit, order=order, after=after, before=before)

    def rows(self, *, limit: int, after: Any = None, before: Any = None, is_reversed: bool = False) -> PageRows:
        try:
            page = self.page(limit=limit, after=after, before=before, is_reversed=is_reversed)
        except QueryTimeout:
            if not self.has_given_up:
                self.form.add_error(None, TOO_LONG if self.is_patient else NOT_AT_ONCE)
            self.has_given_up = True
            return PageRows([], has_more=False)
        return PageRows(page.conversations, page.has_more)

    @cached_property
    def _place(self) -> KeysetPage:
        return self.search.read(self.read_page, count=lambda page: self.search.count_readable(page.rows))

    def url(self, *more: tuple[str, str]) -> str:
        return self.form.url(*more, *([(PATIENT_PARAMETER, "1")] if self.is_patient else []))

    @property
    def look_on_url(self) -> str | None:
        """The address of this page where it has given up too early."""
        if not self.has_given_up or self.is_patient:
            return None
        return self.form.url(*self.places.items(), (PATIENT_PARAMETER, "1"))

    @cached_property
    def result_list(self) -> list[Conversation]:
        rows = super().result_list
        for conversation in rows:
            conversation.condition_url = self.form.condition_url
        if not set(PREVIEW_COLUMNS).isdisjoint(self.list_display):
            previews = read_previews(self.model_admin, self.request, rows, filters_text=self.form.text)
            for conversation in rows:
                conversation.preview = previews.get(conversation.pk)
        add_snippets(rows, search=self.search, site_name=self.model_admin.admin_site.name)
        return rows

    @property
    def has_open_form(self) -> bool:
        """Not where it would push the rows out of sight: the chips tell what it holds."""
        return OPEN_PARAMETER in self.request.GET or not (self.form.chips and self.form.is_valid())

    @property
    def conversations_with_snippets(self) -> list[Conversation]:
        return [conversation for conversation in self.result_list if hasattr(conversation, "snippet")]

    @property
    def suggestions_url(self) -> str:
        site = self.model_admin.admin_site.name
        return reverse("admin:conversations_conversation_suggestions", current_app=site)

    def _cursor(self, text: str) -> str | None:
        """As in the API."""
        return text if text.startswith(ids.CONVERSATION_PREFIX) and ids.is_well_formed(text) else None

    @property
    def _max_count(self) -> int:
        query = self.search.query
        if self.search.searches_content:
            return self.max_count_of_text
        asks_for_metadata = any(isinstance(each, MetadataCondition) for each in conditions(query))
        return self.max_count_unbounded if asks_for_metadata and not is_bounded(query) else self.max_count

    @property
    def is_capped(self) -> bool:
        return self._counted > self._max_count or self._is_uncounted

    def _count(self, maximum: int) -> int:
        try:
            return self.search.count(maximum, seconds=self.max_count_seconds)
        except QueryTimeout:
            self._is_uncounted = True
            return len(self._place.rows)


def url_without_preferences(request: HttpRequest) -> str:
    """The address of this page without what is kept of the user."""
    parameters = request.GET.copy()
    for name in PREFERENCE_PARAMETERS:
        parameters.pop(name, None)
    return f"?{parameters.urlencode()}"
