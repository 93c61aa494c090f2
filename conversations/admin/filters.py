"""Filters of the conversation list that are small forms: exact values instead of a list of all there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.contrib.auth import get_user_model
from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _

from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.schema.query import MetadataCondition, Not, Query


class FilterForm(forms.Form):
    """Each field is a parameter of the URL. A form of empty fields filters nothing; an invalid one finds nothing."""

    data: QueryDict
    use_required_attribute = False

    def clean(self) -> dict[str, Any]:
        if any(len(self.data.getlist(name)) > 1 for name in self.fields):
            raise forms.ValidationError(_("Give each value once."))
        return self.cleaned_data

    def is_blank(self) -> bool:
        return not any(value for name in self.fields for value in self.data.getlist(name))

    def filtered(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        raise NotImplementedError


class OwnerForm(FilterForm):
    owner = forms.CharField(label=_("Username"), max_length=254)

    def clean_owner(self) -> Model:
        users = get_user_model()
        owner = users._default_manager.filter(**{users.USERNAME_FIELD: self.cleaned_data["owner"]}).first()
        if owner is None:
            raise forms.ValidationError(_("There is no user of this name."))
        return owner

    def filtered(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        return conversations.filter(owner=self.cleaned_data["owner"].pk)


class MetadataForm(FilterForm):
    """A condition as the API has them; no value is the empty text."""

    OPERATORS = (
        ("eq", _("is")),
        ("ne", _("is there and is not")),
        ("in", _("is one of, by commas")),
        ("nin", _("is there and none of, by commas")),
        ("prefix", _("begins with")),
        ("contains", _("contains")),
        ("exists", _("is there")),
        ("absent", _("is not there")),
    )

    metadata_key = forms.CharField(label=_("Key"), max_length=MAX_KEY_LENGTH, strip=False)
    metadata_operator = forms.ChoiceField(label=_("Condition"), choices=OPERATORS, required=False)
    metadata_value = forms.CharField(label=_("Value"), max_length=MAX_VALUE_LENGTH, strip=False, required=False)

    def is_blank(self) -> bool:
        is_default = self.data.get("metadata_operator", "") in ("", "eq")
        return is_default and not any(
            self.data.getlist(name) not in ([], [""]) for name in ("metadata_key", "metadata_value")
        )

    def filtered(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        return conversations.matching(self._query())

    def _query(self) -> Query:
        key, value = self.cleaned_data["metadata_key"], self.cleaned_data["metadata_value"]
        match self.cleaned_data["metadata_operator"] or "eq":
            case "exists":
                return MetadataCondition(key, "exists")
            case "absent":
                return Not(MetadataCondition(key, "exists"))
            case "in" | "nin" as operator:
                return MetadataCondition(key, operator, tuple(each.strip() for each in value.split(",")))
            case operator:
                return MetadataCondition(key, operator, (value,))


class FormFilter(admin.ListFilter):
    """A filter of the admin's list whose choices are a form. Its state is in the URL, under the fields' names."""

    form_class: ClassVar[type[FilterForm]]
    template = "admin/conversations/form_filter.html"

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, list[str]],
        model: type[Model],
        model_admin: admin.ModelAdmin[Any],
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)
        form = self.form_class(request.GET, auto_id="filter_%s")
        self.is_active = not form.is_blank()
        self.form = form if self.is_active else self.form_class(auto_id="filter_%s")

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str]:  # type: ignore[override]
        return list(self.form_class.base_fields)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_active:
            return queryset
        if not self.form.is_valid():
            return queryset.none()
        try:
            return self.form.filtered(queryset)  # type: ignore[arg-type]
        except APIError as error:
            self.form.add_error(None, error.message)
            return queryset.none()

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        own = {*self.expected_parameters(), PAGE_VAR}
        yield {
            "form": self.form,
            "is_active": self.is_active,
            "remove_query": changelist.get_query_string(remove=self.expected_parameters()),
            "other_parameters": [
                (name, value)
                for name, values in changelist.filter_params.items()
                if name not in own
                for value in values
            ],
        }


class OwnerFilter(FormFilter):
    title = _("owner")
    form_class = OwnerForm


class MetadataFilter(FormFilter):
    title = Conversation._meta.get_field("metadata").verbose_name
    form_class = MetadataForm
