"""What the conversation list is asked for, as its address tells it: the search, conditions, owner and dates."""

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

_SECOND = re.compile("[0-9a-f]{8}")


@dataclass(frozen=True)
class Chip:
    """One of the conditions that hold together, with what the address has of it."""

    label: str
    pairs: Pairs
    text: str  # the same in every language, for records
    remove_url: str = ""


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ListForm(forms.Form):
    """Fields that are empty ask for nothing; a form with any error finds nothing."""

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
        self.conditions, self.uneven = _conditions(parameters)

    @property
    def rows(self) -> list[ConditionForm]:
        """The conditions, and one row more for the next."""
        numbered = [ConditionForm(condition.values, number=n) for n, condition in enumerate(self.conditions)]
        return [*numbered, ConditionForm(number=len(numbered))]

    @cached_property
    def others(self) -> Pairs:
        """What the address has besides: the order of the list, and other filters that it may have."""
        own = {*FIELD_PARAMETERS, *CONDITION_PARAMETERS}
        return [(name, value) for name, values in self.data.lists() if name not in own for value in values]

    def url(self, *more: tuple[str, str], without: Iterable[str] = ()) -> str:
        """Return the list's URL with this form's parameters, minus those of `without`, plus `more`."""
        kept = [pair for chip in self._chips for pair in chip.pairs if pair[0] not in without]
        return _url(kept, more, self.others)

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
        """For records: what was asked, the same in every language."""
        return " ".join(chip.text for chip in self._chips)

    @property
    def presets(self) -> list[tuple[str, str, bool]]:
        """Names of spans of days up to today, their addresses, and whether it is the one asked for."""
        today = timezone.localdate()
        spans = [
            (gettext("Today"), today),
            (gettext("Last 7 days"), today - timedelta(days=6)),
            (gettext("Last 30 days"), today - timedelta(days=29)),
            (gettext("This month"), today.replace(day=1)),
        ]
        names = ("created_from", "created_to")
        asked = tuple(self.data.get(name, "") for name in names)
        return [
            (
                name,
                self.url(*zip(names, (first.isoformat(), today.isoformat()), strict=True), without=names),
                asked == (first.isoformat(), today.isoformat()),
            )
            for name, first in spans
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
            raise forms.ValidationError(_("There is no user of this name."))
        return owner

    def clean(self) -> dict[str, Any]:
        if self.uneven or any(len(self.data.getlist(name)) > 1 for name in FIELD_PARAMETERS):
            raise forms.ValidationError(_("Give each value once."))
        if len(self.conditions) > MAX_CONDITIONS:
            error = errors.too_many_conditions("metadata", len(self.conditions), maximum=MAX_CONDITIONS)
            raise forms.ValidationError(error.message)
        first, last = self.cleaned_data.get("created_from"), self.cleaned_data.get("created_to")
        if first and last and first > last:
            raise forms.ValidationError(_("The first day is after the last."))
        return self.cleaned_data

    def is_valid(self) -> bool:
        are_valid = [condition.is_valid() for condition in self.conditions]
        return super().is_valid() and all(are_valid)

    @property
    def query(self) -> Query:
        """All conditions of a valid form at once."""
        asked = (self.search, *(condition.query for condition in self.conditions), *self._window())
        parts = tuple(query for query in asked if query != EVERYTHING)
        return parts[0] if len(parts) == 1 else And(parts)

    def apply_filters(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        """Apply the owner and id filters, which the query language does not have."""
        if (owner := self.cleaned_data["owner"]) is not None:
            conversations = conversations.filter(owner=owner.pk)
        if is_id(text := self.cleaned_data["q"]):
            conversations = conversations.filter(pk=text)
        return conversations

    def _window(self) -> Iterator[CreatedCondition]:
        """Whole days of the time zone that times are shown in."""
        first, last = self.cleaned_data["created_from"], self.cleaned_data["created_to"]
        if first:
            yield CreatedCondition("gte", _midnight(first))
        if last and last < date.max:
            yield CreatedCondition("lt", _midnight(last + timedelta(days=1)))

    @cached_property
    def _chips(self) -> list[Chip]:
        told = {
            "q": "{}",
            "owner": gettext("owner: {}"),
            "created_from": gettext("from {}"),
            "created_to": gettext("to {}"),
        }
        texts = {"q": "{}", "owner": "owner={}", "created_from": "from={}", "created_to": "to={}"}
        fields = {name: [value for value in self.data.getlist(name) if value.strip()] for name in FIELD_PARAMETERS}
        chips = {
            name: [
                Chip(told[name].format(_shown(name, value)), [(name, value)], texts[name].format(value))
                for value in values
            ]
            for name, values in fields.items()
        }
        of_metadata = [Chip(each.label, each.pairs, each.text) for each in self.conditions]
        return [*chips.pop("q"), *of_metadata, *chain.from_iterable(chips.values())]


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
    """Return the condition rows that are not blank, and whether a row lacks one of its parts."""
    keys, operators, values = [parameters.getlist(name) for name in CONDITION_PARAMETERS]
    count = max(len(keys), len(operators), len(values))
    uneven = any(len(given) not in (0, count) for given in (keys, operators, values))
    padded = [[*given, *[""] * (count - len(given))] for given in (keys, operators, values)]
    rows = (ConditionForm(row, number=number) for number, row in enumerate(zip(*padded, strict=True)))
    return [row for row in rows if not row.is_blank], uneven


def _shown(name: str, value: str) -> str:
    if name not in ("created_from", "created_to"):
        return value
    try:
        return date_format(date.fromisoformat(value))
    except ValueError:
        return value


def _midnight(day: date) -> int:
    return int(timezone.make_aware(datetime.combine(day, datetime.min.time())).timestamp())


def _url(*pairs: Pairs) -> str:
    return f"?{urlencode(list(chain(*pairs)))}"
