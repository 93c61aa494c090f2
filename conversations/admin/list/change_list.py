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
from conversations.admin.keyset import CappedCount, KeysetChangeList, ListPage
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
from conversations.db.pages import Page
from conversations.db.timeouts import QueryTimeout
from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet
from conversations.schema.query.nodes import EVERYTHING, MetadataCondition, Query, is_bounded, iter_conditions

TOO_SLOW = _("This search takes too long. Narrow it with dates or a more selective condition.")
STOPPED_EARLY = _("The search stopped early. Narrow it with dates or a more selective condition, or keep searching.")

Order = Literal["asc", "desc"]
REVERSED: Mapping[Order, Order] = {"asc": "desc", "desc": "asc"}


class ConversationChangeList(KeysetChangeList):
    """The conversations that match the filter form, in the order of their ids, one page at a time.

    `search.conversations` has the form's owner and id filters and those of `list_filter`, which a subclass of the
    model admin may have; `search.query` has all other conditions. An invalid form matches nothing.
    """

    max_count_unbounded: ClassVar[int] = 1_000  # for conditions that no index answers, so that rows are read in vain
    max_count_of_text: ClassVar[int] = 1_000  # for message content, where each match is verified in its text
    # Time budgets, in seconds, of a page whose search no index bounds. Then the page shows what it has.
    max_seconds: ClassVar[float] = 0.2
    max_patient_seconds: ClassVar[float] = 5  # after "Keep searching"
    max_count_seconds: ClassVar[float] = 0.2  # part of the budget that the count may use
    form_class: ClassVar[type[ListForm]] = ListForm

    model_admin: Any  # a ConversationAdmin; this module cannot import the class
    search: RecordedSearch
    form: ListForm
    has_given_up = False

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Conversation]:
        """Return all matches, for actions. The list itself reads its page through `search`, which is always fast."""
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
        """Return the parameters of `list_filter`: all but the list's own, which the form reads."""
        filters: dict[str, Any] = super().get_filters_params(params)
        own = (*FIELD_PARAMETERS, *CONDITION_PARAMETERS, VIEW_PARAMETER)
        return {name: value for name, value in filters.items() if name not in own}

    @property
    def order(self) -> Order:
        columns = self.get_ordering_field_columns()
        directions = [way for column, way in columns.items() if self.list_display[column : column + 1] == ["id"]]
        return "asc" if directions == ["asc"] else "desc"

    def read_matches(
        self, *, limit: int, after: str | None = None, before: str | None = None, is_reversed: bool = False
    ) -> Page[Conversation]:
        """Return a page of matches, as `read_rows` does. Raise `QueryTimeout` when the time budget is used up."""
        order = REVERSED[self.order] if is_reversed else self.order
        return self.search.page(limit=limit, order=order, after=after, before=before)

    def read_rows(
        self, *, limit: int, after: Any = None, before: Any = None, is_reversed: bool = False
    ) -> Page[Conversation]:
        try:
            return self.read_matches(limit=limit, after=after, before=before, is_reversed=is_reversed)
        except QueryTimeout:
            if not self.has_given_up:
                self.form.add_error(None, TOO_SLOW if self.is_patient else STOPPED_EARLY)
            self.has_given_up = True
            return Page([], has_more=False)

    def read_list_page(self) -> ListPage:
        return self.search.read(super().read_list_page, count=lambda page: self.search.count_readable(page.rows))

    def parse_cursor(self, text: str) -> str | None:
        """Return the id, or None if the text is not a well-formed id, as in the API."""
        return text if text.startswith(ids.CONVERSATION_PREFIX) and ids.is_well_formed(text) else None

    def count_results(self) -> CappedCount:
        try:
            number = self.search.count(self.count_limit + 1, seconds=self.max_count_seconds)
        except QueryTimeout:
            return CappedCount(len(self.page.rows), is_capped=True)
        return CappedCount.cut(number, self.count_limit)

    @property
    def count_limit(self) -> int:
        query = self.search.query
        if self.search.searches_content:
            return self.max_count_of_text
        has_metadata = any(isinstance(condition, MetadataCondition) for condition in iter_conditions(query))
        return self.max_count_unbounded if has_metadata and not is_bounded(query) else self.max_count

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
    def conversations_with_snippets(self) -> list[Conversation]:
        return [conversation for conversation in self.result_list if hasattr(conversation, "snippet")]

    def url(self, *parameters: tuple[str, str]) -> str:
        return self.form.url(*parameters, *([(PATIENT_PARAMETER, "1")] if self.is_patient else []))

    @property
    def patient_url(self) -> str | None:
        """The URL that gives this page more time to search, if the time budget was too short."""
        if not self.has_given_up or self.is_patient:
            return None
        return self.form.url(*self.cursors.items(), (PATIENT_PARAMETER, "1"))

    @property
    def suggestions_url(self) -> str:
        site = self.model_admin.admin_site.name
        return reverse("admin:conversations_conversation_suggestions", current_app=site)

    @property
    def has_open_form(self) -> bool:
        """Whether the filter form is unfolded. With valid conditions it is not: it would push the rows out of sight."""
        return OPEN_PARAMETER in self.request.GET or not (self.form.chips and self.form.is_valid())


def url_without_preferences(request: HttpRequest) -> str:
    """Return the URL of this page without the choices that are saved with the user."""
    parameters = request.GET.copy()
    for name in PREFERENCE_PARAMETERS:
        parameters.pop(name, None)
    return f"?{parameters.urlencode()}"
