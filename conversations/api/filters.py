from collections.abc import Callable
from typing import Any

import django_filters
from django import forms
from django.http import QueryDict

from conversations import errors
from conversations.api.query_parameters import Parameters, created_conditions, metadata_conditions, query_conditions
from conversations.models import Conversation, ConversationQuerySet
from conversations.schema.query.nodes import EVERYTHING, And, Query


class BracketsWidget(forms.Widget):
    """Input made of the query parameter `name` and every `name[…]`."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Parameters:
        return [
            (parameter, data.getlist(parameter))
            for parameter in data
            if parameter == name or parameter.startswith(f"{name}[")
        ]


class ConditionsField(forms.Field):
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
    created_at = ConditionsFilter(parse=created_conditions)
    query = ConditionsFilter(parse=query_conditions)

    # Parameters that select a page, which `conversation_page_parameters` reads.
    page_parameters = ("limit", "order", "after", "before")

    class Meta:
        model = Conversation
        fields: list[str] = []

    def __init__(self, data: QueryDict, queryset: ConversationQuerySet, **kwargs: Any) -> None:
        super().__init__(data, queryset, **kwargs)
        for name in data:
            if name not in self.page_parameters and name.partition("[")[0] not in self.base_filters:
                raise errors.unknown_parameter(name)

    @property
    def conditions(self) -> Query:
        """All conditions together, because the cost of one depends on the others."""
        return And(tuple(self.form.cleaned_data.values())) if self.is_valid() else EVERYTHING
