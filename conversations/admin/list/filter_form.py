"""The filter form of the conversation list: search, metadata conditions, owner and other fields, all in the URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from django import forms
from django.db.models import Model
from django.http import QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.admin.list.conditions import ConditionForm
from conversations.admin.list.field_conditions import LOG_NAMES, ConditionFields
from conversations.admin.list.parameters import CONDITION_PARAMETERS, FIELD_PARAMETERS
from conversations.admin.list.periods import PeriodChoice, period_choices
from conversations.errors import APIError
from conversations.models import ConversationQuerySet
from conversations.schema.end_user import MAX_END_USER_LENGTH
from conversations.schema.query.forgiving import Reading, read_forgivingly
from conversations.schema.query.nodes import (
    EVERYTHING,
    MAX_CONDITIONS,
    And,
    IdPrefixCondition,
    MetadataCondition,
    Query,
    iter_conditions,
    searches_text,
)
from conversations.schema.query.parser import parse_query
from conversations.users import find_user
from conversations.validation import QueryRefusal

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Chip:
    """One condition of the list, shown as a label with a link that removes the condition."""

    label: str
    pairs: Pairs  # the condition's parameters in the URL
    text: str  # not translated, for the access log
    remove_url: str = ""


class ListForm(ConditionFields):
    """Form that reads the query string of the list. Empty fields are no conditions; an invalid form matches nothing.

    With `is_key`, which tells whether some metadata has a key, the search is read in the forgiving mode of the query
    language. `expand` adds to the search what its words may be beside words of messages.
    """

    data: QueryDict
    search: Query  # of a valid form
    use_required_attribute = False

    q = forms.CharField(label=_("Search"), required=False)
    owner = forms.CharField(label=_("Owner"), max_length=254, required=False)
    end_user = forms.CharField(label=_("End user"), max_length=MAX_END_USER_LENGTH, required=False)
    field_order = FIELD_PARAMETERS

    def __init__(
        self,
        parameters: QueryDict,
        *,
        is_key: Callable[[str], bool] | None = None,
        expand: Callable[[Query], Query] = lambda query: query,
    ) -> None:
        if is_key and "q" in parameters:
            parameters = parameters.copy()  # A pasted NUL can't be stored in the access log.
            parameters.setlist("q", [str(text).replace("\0", " ") for text in parameters.getlist("q")])
        super().__init__(parameters, auto_id="filter_%s")
        self.is_key = is_key
        self.expand = expand
        self.reading: Reading | None = None  # of a valid search in the forgiving mode
        self.refusal: QueryRefusal | None = None  # of an invalid search in the strict mode
        for name in ("owner", "end_user"):
            self.fields[name].widget.attrs["autocomplete"] = "off"
        self.conditions, self.is_uneven = _conditions(parameters)

    @property
    def rows(self) -> list[ConditionForm]:
        """The metadata conditions, and an empty row for one more."""
        rows = [ConditionForm(condition.raw_values, number=number) for number, condition in enumerate(self.conditions)]
        return [*rows, ConditionForm(number=len(rows))]

    @cached_property
    def others(self) -> Pairs:
        """The other parameters of the URL: the order of the list and filters of `list_filter`."""
        own = {*FIELD_PARAMETERS, *CONDITION_PARAMETERS}
        return [(name, value) for name, values in self.data.lists() if name not in own for value in values]

    def url(self, *parameters: tuple[str, str], without: Iterable[str] = ()) -> str:
        """Return the URL of the list with this form's parameters, except the ones in `without`, and with more."""
        own = [pair for chip in self._chips for pair in chip.pairs if pair[0] not in without]
        return _url(own, parameters, self.others)

    @property
    def strict_url(self) -> str:
        """The URL of the list in which the search is written as it was read, for actions and saved views."""
        query = self.reading.text if self.reading else self.data.get("q", "")
        pairs = ((name, query if name == "q" else value) for chip in self._chips for name, value in chip.pairs)
        return _url(list(pairs), self.others)

    @property
    def suggested_url(self) -> str:
        """The URL with quotes around what was not understood of the search, or ""."""
        query = self.refusal.suggestion if not self.is_valid() and self.refusal else ""
        return self.url(("q", query), without=["q"]) if query else ""

    @property
    def differing_reading(self) -> str:
        """The search as it was read, if that differs from what was typed."""
        text = self.reading.text if self.reading else ""
        return text if text.split() != self.data.get("q", "").split() else ""

    @property
    def finds_nothing(self) -> bool:
        return self.reading is not None and self.reading.query is None

    @property
    def searches_words(self) -> bool:
        return self.reading is not None and searches_text(self.reading.query or EVERYTHING)

    @property
    def searches_metadata(self) -> bool:
        return any(isinstance(condition, MetadataCondition) for condition in iter_conditions(self.query))

    def condition_url(self, key: str, value: str) -> str:
        return self.url(*zip(CONDITION_PARAMETERS, (key, "eq", value), strict=True))

    @property
    def clear_url(self) -> str:
        return _url(self.others)

    @cached_property
    def chips(self) -> list[Chip]:
        urls = [
            _url(*(other.pairs for n, other in enumerate(self._chips) if n != at), self.others)
            for at in range(len(self._chips))
        ]
        return [Chip(chip.label, chip.pairs, chip.text, url) for chip, url in zip(self._chips, urls, strict=True)]

    @property
    def title(self) -> str:
        """The conditions as a title of the page, or "" if there are none."""
        return ", ".join(chip.label for chip in self._chips)

    @property
    def text(self) -> str:
        """The conditions as text that is not translated, for the access log."""
        return " ".join(chip.text for chip in self._chips)

    @property
    def periods(self) -> list[PeriodChoice]:
        return period_choices(self.data)

    def clean_q(self) -> str:
        text = str(self.cleaned_data["q"])
        if is_id(text):
            self.search = IdPrefixCondition(text)
            return text
        if self.is_key:
            self.reading = read_forgivingly(text, is_key=self.is_key)
            self.search = self.expand(self.reading.query or EVERYTHING)
            return text
        try:
            self.search = self.expand(parse_query(text))
        except APIError as error:
            self.refusal = QueryRefusal(text, error)
            raise forms.ValidationError(str(self.refusal)) from error
        return text

    def clean_owner(self) -> Model | None:
        if not self.cleaned_data["owner"]:
            if self.data.get("owner"):
                raise forms.ValidationError(forms.Field.default_error_messages["required"])
            return None
        owner = find_user(self.cleaned_data["owner"])
        if owner is None:
            raise forms.ValidationError(_("No such user."))
        return owner

    def clean(self) -> dict[str, Any]:
        if self.is_uneven or any(len(self.data.getlist(name)) > 1 for name in FIELD_PARAMETERS):
            raise forms.ValidationError(_("Give each value once."))
        if len(self.conditions) > MAX_CONDITIONS:
            raise forms.ValidationError(_("Too many conditions."))
        return super().clean()

    def is_valid(self) -> bool:
        are_valid = [condition.is_valid() for condition in self.conditions]
        return super().is_valid() and all(are_valid)

    @property
    def query(self) -> Query:
        """The search, the metadata conditions and the fields of a valid form, all of which must match."""
        queries = (self.search, *(condition.query for condition in self.conditions), *self.field_conditions())
        parts = tuple(query for query in queries if query != EVERYTHING)
        return parts[0] if len(parts) == 1 else And(parts)

    @property
    def person_parameters(self) -> dict[str, str]:
        """The owner, end user and metadata value of the filter, or nothing if it has other conditions."""
        if not self.is_valid() or self.finds_nothing:
            return {}
        named = {name: str(self.data[name]) for name in ("owner", "end_user") if self.cleaned_data[name]}
        match self.query:
            case And(()):
                return named
            case MetadataCondition(key, "eq", (value,)):
                return {**named, "metadata_key": key, "metadata_value": value}
        return {}

    def apply_filters(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        """Apply the filters by owner and end user, which have indexes of their own."""
        if (owner := self.cleaned_data["owner"]) is not None:
            conversations = conversations.filter(owner=owner.pk)
        if end_user := self.cleaned_data["end_user"]:
            conversations = conversations.filter(end_user=end_user)
        return conversations.none() if self.finds_nothing else conversations

    @cached_property
    def _chips(self) -> list[Chip]:
        fields = {name: [value for value in self.data.getlist(name) if value.strip()] for name in FIELD_PARAMETERS}
        chips = {
            name: [Chip(self.label_of(name, value), [(name, value)], _log_text(name, value)) for value in values]
            for name, values in fields.items()
        }
        metadata = [Chip(condition.label, condition.pairs, condition.text) for condition in self.conditions]
        return [*chips.pop("q"), *metadata, *chain.from_iterable(chips.values())]


def is_id(text: str) -> bool:
    return text.startswith(ids.CONVERSATION_PREFIX) and ids.is_well_formed(text)


def _conditions(parameters: QueryDict) -> tuple[list[ConditionForm], bool]:
    """Return the rows that are not blank, and whether the URL has more values of one parameter than of another."""
    keys, operators, values = [parameters.getlist(name) for name in CONDITION_PARAMETERS]
    count = max(len(keys), len(operators), len(values))
    is_uneven = any(len(texts) not in (0, count) for texts in (keys, operators, values))
    padded = [[*texts, *[""] * (count - len(texts))] for texts in (keys, operators, values)]
    rows = (ConditionForm(row, number=number) for number, row in enumerate(zip(*padded, strict=True)))
    return [row for row in rows if not row.is_blank], is_uneven


def _log_text(name: str, value: str) -> str:
    return value if name == "q" else f"{LOG_NAMES.get(name, name)}={value}"


def _url(*pairs: Pairs) -> str:
    return f"?{urlencode(list(chain(*pairs)))}"
