"""Filters of the conversation list: `metadata[k]=v`, `metadata[k][op]=…`, `created_at[op]=…`, `query=…` and more.

They are parsed into a condition tree. Whatever can't be parsed is an error: an ignored filter would return other
conversations than the client asked for.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast, get_args

import django_filters
from django import forms
from django.http import QueryDict

from conversations import errors
from conversations.models import Conversation, ConversationQuerySet
from conversations.schema.json_limits import check_storable
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.schema.query.nodes import (
    EVERYTHING,
    MAX_CONDITIONS,
    ActiveCondition,
    And,
    Comparison,
    Condition,
    CreatedCondition,
    ItemCountCondition,
    MetadataCondition,
    Not,
    Query,
)
from conversations.schema.query.operators import METADATA_OPERATORS, Arity
from conversations.schema.query.parser import NAMED, NAMED_VALUES, parse_query

Parameters = Iterable[tuple[str, list[str]]]  # names in the query string, with all values of each

# Key, operator, and the brackets that some clients append to the name of a parameter with several values. Brackets may
# contain an index, which is removed first.
_METADATA = re.compile(r"metadata\[([^\[\]]*)\](?:\[([^\[\]]*)\])?(\[\])?")
_METADATA_ELEMENT = re.compile(r"(metadata\[[^\[\]]*\]\[[^\[\]]*\])\[[0-9]+\]")
_COMPARISON = re.compile(r"([a-z_]+)\[([^\[\]]*)\]")
_NUMBER = re.compile(r"-?[0-9]{1,12}")
_DIGITS = re.compile("[0-9]+")
MAX_NUMBER = 10**12 - 1


def metadata_conditions(parameters: Parameters) -> Query:
    values_by_name: dict[str, list[str]] = {}
    for name, values in parameters:
        values_by_name.setdefault(_METADATA_ELEMENT.sub(r"\1[]", name), []).extend(values)
    conditions = tuple(_metadata_condition(name, values) for name, values in values_by_name.items())
    if len(conditions) > MAX_CONDITIONS:
        raise errors.too_many_conditions("metadata", len(conditions), maximum=MAX_CONDITIONS)
    return And(conditions)


def comparisons(parameters: Parameters, *, condition: Callable[[Comparison, int], Condition]) -> Query:
    """Parse `name[operator]=number`; `condition` builds the condition of an operator and a number."""
    return And(tuple(condition(*_parse_comparison(name, values)) for name, values in parameters))


def query_conditions(parameters: Parameters) -> Query:
    condition: Query = And(())
    for name, values in parameters:
        if name != "query":
            raise errors.unknown_parameter(name)
        if len(values) > 1:
            raise errors.duplicate_parameter(name)
        condition = parse_query(values[0])
    return condition


def named_condition(parameters: Parameters, *, condition: Callable[[str], Condition]) -> Query:
    """Parse a parameter without an operator; `condition` builds the condition of its value."""
    conditions = []
    for name, values in parameters:
        if "[" in name:
            raise errors.malformed_parameter(name, expected=name.partition("[")[0])
        if len(values) > 1:
            raise errors.duplicate_parameter(name)
        check_storable(values[0], path=name)
        if not values[0]:
            raise errors.empty_string(name)
        if len(values[0]) > MAX_VALUE_LENGTH:
            raise errors.string_too_long(name, values[0], maximum=MAX_VALUE_LENGTH)
        supported = NAMED_VALUES.get(f"@{name}:", values)
        if values[0] not in supported:
            raise errors.invalid_value(name, values[0], supported=supported)
        conditions.append(condition(values[0]))
    return And(tuple(conditions))


def _metadata_condition(name: str, values: list[str]) -> Query:
    match = _METADATA.fullmatch(name)
    if not match:
        raise errors.malformed_parameter(name, expected="metadata[key] or metadata[key][operator]")
    key, brackets = match[1], match[3] or ""
    operator_name = "eq" if match[2] is None else match[2]
    if not key:
        raise errors.empty_string(name)
    if len(key) > MAX_KEY_LENGTH:
        raise errors.string_too_long(name, key, maximum=MAX_KEY_LENGTH)
    operator = METADATA_OPERATORS.get(operator_name)
    takes_many = operator is not None and operator.arity is Arity.MANY_VALUES
    if operator is None or (brackets and not takes_many):
        raise errors.invalid_operator(name, operator_name + brackets, supported=list(METADATA_OPERATORS))
    if len(values) > 1 and not takes_many:
        raise errors.duplicate_parameter(name)
    for value in (key, *values):
        check_storable(value, path=name)
    for value in values:
        if len(value) > MAX_VALUE_LENGTH:
            raise errors.string_too_long(name, value, maximum=MAX_VALUE_LENGTH)
    if operator.arity is Arity.NO_VALUE:
        if values[0] not in ("true", "false"):
            raise errors.invalid_value(name, values[0], supported=["true", "false"])
        condition = MetadataCondition(key, operator.name)
        return condition if values[0] == "true" else Not(condition)
    return MetadataCondition(key, operator.name, tuple(values))


def _parse_comparison(name: str, values: list[str]) -> tuple[Comparison, int]:
    match = _COMPARISON.fullmatch(name)
    if not match:
        raise errors.malformed_parameter(name, expected=f"{name.partition('[')[0]}[operator]")
    if match[2] not in get_args(Comparison):
        raise errors.invalid_operator(name, match[2], supported=get_args(Comparison))
    if len(values) > 1:
        raise errors.duplicate_parameter(name)
    if not _NUMBER.fullmatch(values[0]):
        if _DIGITS.fullmatch(values[0]):  # such as a time in milliseconds
            raise errors.integer_above_maximum(name, values[0], maximum=MAX_NUMBER)
        raise errors.invalid_type(name, expected="an integer", got=values[0])
    return cast(Comparison, match[2]), int(values[0])


class BracketsWidget(forms.Widget):
    """Input made of the query parameter `name` and every `name[…]`."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Parameters:
        return [
            (parameter, data.getlist(parameter))
            for parameter in data
            if parameter == name or parameter.startswith(f"{name}[")
        ]


class ConditionsField(forms.Field):
    """Field whose value is the condition tree that `parse` returns for its parameters."""

    widget = BracketsWidget

    def __init__(self, *, parse: Callable[[Parameters], Query], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parse = parse

    def clean(self, value: Any) -> Query:
        return self.parse(value)


class ConditionsFilter(django_filters.Filter):
    field_class = ConditionsField


class ConversationFilterSet(django_filters.FilterSet):
    metadata = ConditionsFilter(parse=metadata_conditions)
    created_at = ConditionsFilter(parse=partial(comparisons, condition=CreatedCondition))
    active_at = ConditionsFilter(parse=partial(comparisons, condition=ActiveCondition))
    item_count = ConditionsFilter(parse=partial(comparisons, condition=ItemCountCondition))
    type = ConditionsFilter(parse=partial(named_condition, condition=NAMED["@type:"]))
    tool = ConditionsFilter(parse=partial(named_condition, condition=NAMED["@tool:"]))
    status = ConditionsFilter(parse=partial(named_condition, condition=NAMED["@status:"]))
    has = ConditionsFilter(parse=partial(named_condition, condition=NAMED["@has:"]))
    query = ConditionsFilter(parse=query_conditions)

    # Parameters that select a page, which `conversation_page_parameters` reads.
    page_parameters = ("limit", "order", "order_by", "after", "before")

    class Meta:
        model = Conversation
        fields: list[str] = []

    def __init__(self, data: QueryDict, queryset: ConversationQuerySet, **kwargs: Any) -> None:
        requested = OrderedDict[str, django_filters.Filter]()
        for name in data:
            if name not in self.page_parameters:
                filter_name = name.partition("[")[0]
                if filter_name not in self.base_filters:
                    raise errors.unknown_parameter(name)
                requested[filter_name] = self.base_filters[filter_name]
        # django-filter copies these filters, and makes a form of them, for each request.
        self.base_filters = requested
        super().__init__(data, queryset, **kwargs)

    @property
    def conditions(self) -> Query:
        """All conditions together, because the cost of one depends on the others."""
        return And(tuple(self.form.cleaned_data.values())) if self.is_valid() else EVERYTHING
