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
    """Reads `name` and every `name[…]` of the query string."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Parameters:
        return [(each, data.getlist(each)) for each in data if each == name or each.startswith(f"{name}[")]


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

    # What the page is made of rather than the set; they are read by `conversation_page_parameters`.
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
        """All conditions at once: whether one of them is too expensive depends on the others."""
        return And(tuple(self.form.cleaned_data.values())) if self.is_valid() else EVERYTHING

    def filter_queryset(self, queryset: Any) -> Any:
        return queryset.matching(self.conditions)
