"""The filter form of the conversation list: search, metadata conditions, owner and dates, all in the URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Any

from django import forms
from django.db.models import Model
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids
from conversations.admin.list.conditions import ConditionForm
from conversations.admin.list.parameters import CONDITION_PARAMETERS, FIELD_PARAMETERS
from conversations.errors import APIError
from conversations.models import ConversationQuerySet
from conversations.schema.query.nodes import EVERYTHING, MAX_CONDITIONS, And, CreatedCondition, Query
from conversations.schema.query.parser import parse_query
from conversations.users import find_user

Pairs = Sequence[tuple[str, str]]

_SECOND = re.compile("[0-9a-f]{8}")  # the time of creation in an id, in seconds since 1970


@dataclass(frozen=True)
class Chip:
    """One condition of the list, shown as a label with a link that removes the condition."""

    label: str
    pairs: Pairs  # the condition's parameters in the URL
    text: str  # not translated, for the access log
    remove_url: str = ""


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ListForm(forms.Form):
    """Form that reads the query string of the list. Empty fields are no conditions; an invalid form matches nothing."""

    data: QueryDict
    use_required_attribute = False

    q = forms.CharField(label=_("Search"), required=False)
    owner = forms.CharField(label=_("Owner"), max_length=254, required=False)
    created_from = forms.DateField(
        label=_("Created from"), required=False, widget=DateInput(), input_formats=["%Y-%m-%d"]
    )
    created_to = forms.DateField(label=_("Created to"), required=False, widget=DateInput(), input_formats=["%Y-%m-%d"])

    def __init__(self, parameters: QueryDict) -> None:
        super().__init__(parameters, auto_id="filter_%s")
        self.fields["owner"].widget.attrs["autocomplete"] = "off"
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
    def text(self) -> str:
        """The conditions as text that is not translated, for the access log."""
        return " ".join(chip.text for chip in self._chips)

    @property
    def presets(self) -> list[tuple[str, str, bool]]:
        """Periods up to today: name, URL of the list, and whether the list shows this period."""
        today = timezone.localdate()
        periods = [
            (gettext("Today"), today),
            (gettext("Last 7 days"), today - timedelta(days=6)),
            (gettext("Last 30 days"), today - timedelta(days=29)),
            (gettext("This month"), today.replace(day=1)),
        ]
        names = ("created_from", "created_to")
        current = tuple(self.data.get(name, "") for name in names)
        return [
            (
                name,
                self.url(*zip(names, (first.isoformat(), today.isoformat()), strict=True), without=names),
                current == (first.isoformat(), today.isoformat()),
            )
            for name, first in periods
        ]

    def clean_q(self) -> str:
        text = str(self.cleaned_data["q"])
        try:
            self.search = parse_search(text)
        except APIError as error:
            raise forms.ValidationError(error.message) from error
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
            error = errors.too_many_conditions("metadata", len(self.conditions), maximum=MAX_CONDITIONS)
            raise forms.ValidationError(error.message)
        first, last = self.cleaned_data.get("created_from"), self.cleaned_data.get("created_to")
        if first and last and first > last:
            raise forms.ValidationError(_("“From” is after “to”."))
        return self.cleaned_data

    def is_valid(self) -> bool:
        are_valid = [condition.is_valid() for condition in self.conditions]
        return super().is_valid() and all(are_valid)

    @property
    def query(self) -> Query:
        """The search, the metadata conditions and the dates of a valid form, all of which must match."""
        queries = (self.search, *(condition.query for condition in self.conditions), *self._created_conditions())
        parts = tuple(query for query in queries if query != EVERYTHING)
        return parts[0] if len(parts) == 1 else And(parts)

    def apply_filters(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        """Apply the owner and id filters, which the query language does not have."""
        if (owner := self.cleaned_data["owner"]) is not None:
            conversations = conversations.filter(owner=owner.pk)
        if is_id(text := self.cleaned_data["q"]):
            conversations = conversations.filter(pk=text)
        return conversations

    def _created_conditions(self) -> Iterator[CreatedCondition]:
        """Yield the bounds of the dates: whole days of the current time zone."""
        first, last = self.cleaned_data["created_from"], self.cleaned_data["created_to"]
        if first:
            yield CreatedCondition("gte", _midnight(first))
        if last and last < date.max:
            yield CreatedCondition("lt", _midnight(last + timedelta(days=1)))

    @cached_property
    def _chips(self) -> list[Chip]:
        labels = {
            "q": "{}",
            "owner": gettext("owner: {}"),
            "created_from": gettext("from {}"),
            "created_to": gettext("to {}"),
        }
        texts = {"q": "{}", "owner": "owner={}", "created_from": "from={}", "created_to": "to={}"}
        fields = {name: [value for value in self.data.getlist(name) if value.strip()] for name in FIELD_PARAMETERS}
        chips = {
            name: [
                Chip(labels[name].format(_value_label(name, value)), [(name, value)], texts[name].format(value))
                for value in values
            ]
            for name, values in fields.items()
        }
        metadata = [Chip(condition.label, condition.pairs, condition.text) for condition in self.conditions]
        return [*chips.pop("q"), *metadata, *chain.from_iterable(chips.values())]


def parse_search(text: str) -> Query:
    """Parse the search text; an id becomes a condition for the second of creation that it contains."""
    if not is_id(text):
        return parse_query(text)
    second = text.removeprefix(ids.CONVERSATION_PREFIX)[:8]
    if not _SECOND.fullmatch(second) or second == "f" * 8:
        return EVERYTHING
    return And((CreatedCondition("gte", int(second, 16)), CreatedCondition("lte", int(second, 16))))


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


def _value_label(name: str, value: str) -> str:
    """Return the value as people read it: dates in the format of the language, if they are dates."""
    if name not in ("created_from", "created_to"):
        return value
    try:
        return date_format(date.fromisoformat(value))
    except ValueError:
        return value


def _midnight(day: date) -> int:
    """Return the first second of the day in the current time zone, in seconds since 1970."""
    return int(timezone.make_aware(datetime.combine(day, datetime.min.time())).timestamp())


def _url(*pairs: Pairs) -> str:
    return f"?{urlencode(list(chain(*pairs)))}"
