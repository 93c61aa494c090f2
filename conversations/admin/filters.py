"""List filters that are small forms, for an exact value where a list of all values would be too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import Model
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _


class FilterForm(forms.Form):
    """Form whose fields are parameters of the URL. An empty form filters nothing; an invalid one matches nothing."""

    data: QueryDict
    use_required_attribute = False

    def clean(self) -> dict[str, Any]:
        if any(len(self.data.getlist(name)) > 1 for name in self.fields):
            raise forms.ValidationError(_("Give each value once."))
        return self.cleaned_data

    def is_blank(self) -> bool:
        return not any(value for name in self.fields for value in self.data.getlist(name))


class FormFilter(admin.ListFilter):
    """List filter that shows a form instead of choices. Its fields are parameters of the URL."""

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
        self.parameter_name = self.expected_parameters()[0]  # Skins of the admin tell filters apart by it.
        form = self.form_class(request.GET, auto_id="filter_%s")
        self.is_active = not form.is_blank()
        self.form = form if self.is_active else self.form_class(auto_id="filter_%s")

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str]:  # type: ignore[override]
        return list(self.form_class.base_fields)

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
