"""The fields of the filter form that stand for conditions of the query language: dates, items, failures and holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from conversations.admin.transcript.item_types import ITEM_DISPLAYS
from conversations.schema.metadata import MAX_VALUE_LENGTH
from conversations.schema.query.comparisons import MAX_COUNT
from conversations.schema.query.nodes import (
    ActiveCondition,
    CreatedCondition,
    HasCondition,
    ItemCondition,
    ItemCountCondition,
    Not,
    Query,
)

# The label of a condition in the list. `{}` is the value.
LABELS: dict[str, Any] = {
    "q": "{}",
    "owner": _("owner: {}"),
    "end_user": _("end user: {}"),
    "created_from": _("from {}"),
    "created_to": _("to {}"),
    "active_from": _("active from {}"),
    "active_to": _("last active by {}"),
    "min_items": _("at least {} items"),
    "max_items": _("at most {} items"),
    "type": _("item type: {}"),
    "tool": _("tool: {}"),
    "status": "{}",
    "has": "{}",
    "held": "{}",
}
# Names in the access log where they differ from the parameter.
LOG_NAMES = {"created_from": "from", "created_to": "to"}


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def _date_field(label: Any) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=DateInput(), input_formats=["%Y-%m-%d"])


def _count_field(label: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, max_value=MAX_COUNT, required=False)


def _choice_field(label: Any, choices: list[tuple[str, Any]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", _("Any")), *choices], required=False)


class ConditionFields(forms.Form):
    """Fields whose names are parameters of the URL, and their conditions."""

    data: Any

    created_from = _date_field(_("Created from"))
    created_to = _date_field(_("Created to"))
    active_from = _date_field(_("Active from"))
    active_to = _date_field(_("Last active by"))
    min_items = _count_field(_("Items, at least"))
    max_items = _count_field(_("Items, at most"))
    type = _choice_field(_("Item type"), [(name, display.label) for name, display in ITEM_DISPLAYS.items()])
    tool = forms.CharField(label=_("Tool"), max_length=MAX_VALUE_LENGTH, required=False)
    status = _choice_field(_("Failures"), [("failed", _("with failed items"))])
    has = _choice_field(_("Calls"), [("unanswered_call", _("with a call without output"))])
    held = _choice_field(_("Legal hold"), [("yes", _("on legal hold")), ("no", _("not on legal hold"))])

    def clean(self) -> dict[str, Any]:
        for prefix in ("created", "active"):
            first, last = (self.cleaned_data.get(f"{prefix}_{end}") for end in ("from", "to"))
            if first and last and first > last:
                raise forms.ValidationError(_("“From” is after “to”."))
        return self.cleaned_data

    def field_conditions(self) -> Iterator[Query]:
        """Yield the conditions of a valid form. Dates are whole days of the current time zone."""
        values = self.cleaned_data
        for condition, prefix in ((CreatedCondition, "created"), (ActiveCondition, "active")):
            first, last = values[f"{prefix}_from"], values[f"{prefix}_to"]
            if first:
                yield condition("gte", _midnight(first))
            if last and last < date.max:
                yield condition("lt", _midnight(last + timedelta(days=1)))
        if values["min_items"] is not None:
            yield ItemCountCondition("gte", values["min_items"])
        if values["max_items"] is not None:
            yield ItemCountCondition("lte", values["max_items"])
        for name in ("type", "tool", "status"):
            if values[name]:
                yield ItemCondition(name, values[name])
        if values["has"]:
            yield HasCondition(values["has"])
        if values["held"]:
            yield HasCondition("hold") if values["held"] == "yes" else Not(HasCondition("hold"))

    def label_of(self, name: str, value: str) -> str:
        """Return the condition of a field as people read it, even if the value is invalid."""
        field = self.fields[name]
        text = value
        if isinstance(field, forms.ChoiceField):
            choices: Any = field.choices
            text = str(dict(choices).get(value, value))
        elif isinstance(field, forms.DateField):
            with suppress(ValueError):
                text = date_format(date.fromisoformat(value))
        return str(LABELS[name]).format(text)


def _midnight(day: date) -> int:
    """Return the first second of the day in the current time zone, in seconds since 1970."""
    return int(timezone.make_aware(datetime.combine(day, datetime.min.time())).timestamp())
