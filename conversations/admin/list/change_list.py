from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal

from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.views.main import ORDER_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.admin.content.previews import PREVIEW_COLUMNS
from conversations.admin.content.search import RecordedSearch
from conversations.admin.keyset import CappedCount, KeysetChangeList, ListPage
from conversations.admin.list.cells import FIRST, LAST_ITEM
from conversations.admin.list.columns import Columns, columns_query_string
from conversations.admin.list.filter_form import ListForm
from conversations.admin.list.parameters import (
    CONDITION_PARAMETERS,
    FIELD_PARAMETERS,
    OPEN_PARAMETER,
    PATIENT_PARAMETER,
    REPLACED_PARAMETERS,
    VIEW_PARAMETER,
    VISIT_PARAMETERS,
)
from conversations.admin.list.periods import replace_period
from conversations.admin.list.query_budget import QueryBudget
from conversations.admin.list.snippets import add_snippets
from conversations.admin.list.suggestions import visible_pairs
from conversations.admin.list.word_lookup import WordLookup
from conversations.admin.live import new_conversations_url
from conversations.admin.permissions import missing_permission_message
from conversations.db.pages import Page
from conversations.db.timeouts import QueryTimeout
from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet
from conversations.schema.query.nodes import EVERYTHING, MetadataCondition, Query, is_bounded, iter_conditions
from conversations.search.activity_order import OrderBy
from conversations.search.item_text import full_text_enabled

TOO_SLOW = _("This search takes too long. Narrow it with dates or a more selective condition.")
STOPPED_EARLY = _(
    "Still searching would take longer. Narrow it with dates or a more selective condition, or keep searching."
)

# An attribute of requests whose search has to be in the strict mode of the query language: those of actions.
STRICT_SEARCH = "has_strict_search"

CURL_COMMAND = (
    """curl {url} -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" """
    """-d '{{"items": [{{"role": "user", "content": "Hello!"}}]}}'"""
)

Order = Literal["asc", "desc"]
REVERSED: Mapping[Order, Order] = {"asc": "desc", "desc": "asc"}
# Orders by the names of columns. The first click on the head of "last activity" shows the most recent activity first.
ORDERS: Mapping[str, tuple[OrderBy, Order]] = {
    FIRST: ("created_at", "asc"),
    f"-{FIRST}": ("created_at", "desc"),
    LAST_ITEM: ("last_item_at", "desc"),
    f"-{LAST_ITEM}": ("last_item_at", "asc"),
}


class ConversationChangeList(KeysetChangeList):
    """The conversations that match the filter form, by creation or last activity, one page at a time.

    `search.conversations` has the form's owner filter and those of `list_filter`, which a subclass of the
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
        for name in (*VISIT_PARAMETERS, *REPLACED_PARAMETERS):
            parameters.pop(name, None)
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        is_strict = getattr(request, STRICT_SEARCH, False)
        self.word_lookup = self._create_word_lookup()
        self.form = self.form_class(
            parameters, is_key=None if is_strict else self._is_key, expand=self.word_lookup.expand
        )
        self.query = ""  # Django's search text; here the form has it
        conversations: Any = super().get_queryset(request, exclude_parameters)
        self.has_active_filters = self.has_active_filters or bool(self.form.chips)
        try:
            if self.form.is_valid():
                self.search = self._create_search(self.form.apply_filters(conversations), self.form.query)
                return self.search.action_queryset()
        except APIError as error:
            self.form.add_error(None, TOO_SLOW if error.code == "unbounded_condition" else error.message)
        self.search = self._create_search(conversations.none(), EVERYTHING)
        return self.search.conversations

    def _is_key(self, key: str) -> bool:
        return self.word_lookup.pairs.filter(key=key).exists()

    def _create_word_lookup(self) -> WordLookup:
        pairs = visible_pairs(self.model_admin, self.request)

        def may_search_messages() -> bool:
            return full_text_enabled(using=pairs.db) and self.model_admin.has_read_content_permission(self.request)

        return WordLookup(pairs, may_search_messages)

    def _create_search(self, conversations: ConversationQuerySet, query: Query) -> RecordedSearch:
        seconds = self.max_patient_seconds if self.is_patient else self.max_seconds
        budget = QueryBudget(query, seconds=seconds, using=conversations.db, order_by=self.order_by)
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
        return ORDERS[self._order_name][1]

    @property
    def order_by(self) -> OrderBy:
        return ORDERS[self._order_name][0]

    @property
    def _order_name(self) -> str:
        name = self.params.get(ORDER_VAR, "")
        return name if name in ORDERS else f"-{FIRST}"

    def get_ordering_field_columns(self) -> dict[int, Order]:
        """Return the column that the list is sorted by, if it is shown, for the head of the table."""
        column = self._order_name.lstrip("-")
        direction: Order = "asc" if column == self._order_name else "desc"
        return {self.list_display.index(column): direction} if column in self.list_display else {}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Name the column to sort by. Django counts columns, which differ from user to user."""
        if new_params and (columns := new_params.get(ORDER_VAR)):
            _, sign, number = columns.split(".")[0].rpartition("-")
            new_params = {**new_params, ORDER_VAR: f"{sign}{self.list_display[int(number)]}"}
        return super().get_query_string(new_params, remove)

    def read_matches(
        self, *, limit: int, after: str | None = None, before: str | None = None, is_reversed: bool = False
    ) -> Page[Conversation]:
        """Return a page of matches, as `read_rows` does. Raise `QueryTimeout` when the time budget is used up."""
        order = REVERSED[self.order] if is_reversed else self.order
        return self.search.page(limit=limit, order=order, order_by=self.order_by, after=after, before=before)

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
        """Return the id, or None, for the first page, if the API would not accept the text as a cursor."""
        if not text.startswith(ids.CONVERSATION_PREFIX) or not ids.is_well_formed(text):
            return None
        is_missing = self.order_by != "created_at" and not self.search.conversations.filter(pk=text).exists()
        return None if is_missing else text

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
        previews = self.search.previews(rows, has_last=not set(PREVIEW_COLUMNS).isdisjoint(self.list_display))
        filters: Any = {"preserved_filters": self.preserved_filters, "opts": self.opts}
        has_pairs = Columns.for_request(self.request, self.model_admin).has_pairs
        for conversation in rows:
            conversation.has_pairs = has_pairs
            conversation.form = self.form
            conversation.condition_url = self.form.condition_url
            conversation.preview = previews.get(conversation.pk)
            conversation.url = add_preserved_filters(filters, self.url_for_result(conversation))
            key = str(self.to_field or "pk")
            conversation.popup_value = conversation.serializable_value(key) if self.is_popup else None
        add_snippets(rows, search=self.search, site_name=self.model_admin.admin_site.name)
        return rows

    def url(self, *parameters: tuple[str, str]) -> str:
        return self.form.url(*parameters, *([(PATIENT_PARAMETER, "1")] if self.is_patient else []))

    @property
    def words_note(self) -> str:
        """Where words of the search are not looked up, or ""."""
        if not self.form.is_valid() or not self.word_lookup.has_phrases:
            return ""
        notes = []
        if not self.word_lookup.searches_messages:
            notes = [self._messages_note(), gettext("Words are looked up in metadata values, ids and owners only.")]
        return " ".join(filter(None, [*notes, self.word_lookup.cut_note]))

    def _messages_note(self) -> str:
        if not self.model_admin.has_read_content_permission(self.request):
            return missing_permission_message()
        return gettext("Full-text search is off here, so that messages are not searched. An operator can turn it on.")

    @property
    def view_to_save(self) -> str:
        """The query string of a saved view of this list, with the search as it was read."""
        return "&".join(filter(None, [self.form.strict_url.removeprefix("?"), columns_query_string(self.request)]))

    @property
    def patient_url(self) -> str | None:
        """The URL that gives this page more time to search, if the time budget was too short."""
        if not self.has_given_up or self.is_patient:
            return None
        return self.form.url(*self.cursors.items(), (PATIENT_PARAMETER, "1"))

    @property
    def curl_command(self) -> str:
        """A command that creates a conversation, or "" if your project does not serve the API."""
        try:
            url = self.request.build_absolute_uri(reverse("conversations:conversation-list"))
        except NoReverseMatch:
            return ""
        return CURL_COMMAND.format(url=url)

    @property
    def live_url(self) -> str:
        return new_conversations_url(self)

    @property
    def suggestions_url(self) -> str:
        site = self.model_admin.admin_site.name
        return reverse("admin:conversations_conversation_suggestions", current_app=site)

    @property
    def erase_url(self) -> str:
        return str(self.model_admin.erase_url(self.request, self.form))

    @property
    def has_open_form(self) -> bool:
        """Whether the filter form is unfolded, which pushes the rows down: on request, or to show an error."""
        return OPEN_PARAMETER in self.request.GET or not self.form.is_valid()


def url_without_choices(request: HttpRequest) -> str:
    """Return the URL of this page with dates for a period, and without the choices that are saved with the user."""
    parameters = request.GET.copy()
    replace_period(parameters)
    for name in REPLACED_PARAMETERS:
        parameters.pop(name, None)
    return f"?{parameters.urlencode()}"
