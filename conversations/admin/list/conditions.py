"""A condition on metadata as a row of the list's form: key, operator, value."""

from __future__ import annotations

import json
import re
from typing import Any

from django import forms
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.list.parameters import CONDITION_PARAMETERS
from conversations.schema.json_limits import UNSTORABLE_CHARACTER
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.schema.query.nodes import MetadataCondition, Not, Query

MAX_LIST_LENGTH = 16 * (MAX_VALUE_LENGTH + 4)

# Possessive, so that a value of many spaces is scanned once. White space at the end of a bare value is stripped later.
_LIST_ENTRY = re.compile(r'\s*+(?:"((?:[^"]|"")*+)"\s*+|([^",]*+))(?:(,)|\Z)')


class ConditionForm(forms.Form):
    """A condition as the API has them; no value is the empty text. All rows have the same names, each once."""

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

    use_required_attribute = False

    metadata_key = forms.CharField(label=_("Key"), max_length=MAX_KEY_LENGTH, strip=False)
    metadata_operator = forms.ChoiceField(label=_("Condition"), choices=OPERATORS, required=False)
    metadata_value = forms.CharField(label=_("Value"), max_length=MAX_LIST_LENGTH, strip=False, required=False)

    def __init__(self, values: tuple[str, str, str] | None = None, *, number: int) -> None:
        data = dict(zip(CONDITION_PARAMETERS, values, strict=True)) if values else None
        super().__init__(data, auto_id=f"condition_{number}_%s")
        self.number = number
        for name in ("metadata_key", "metadata_value"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "data-completes": name.removeprefix("metadata_")}

    @property
    def values(self) -> tuple[str, str, str]:
        key, operator, value = (self.data.get(name, "") for name in CONDITION_PARAMETERS)
        return key, operator, value

    @property
    def is_blank(self) -> bool:
        return self.values in (("", "", ""), ("", "eq", ""))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return list(zip(CONDITION_PARAMETERS, self.values, strict=True))

    def clean_metadata_key(self) -> str:
        return _check_storable(self.cleaned_data["metadata_key"])

    def clean_metadata_value(self) -> str:
        return _check_storable(self.cleaned_data["metadata_value"])

    def clean(self) -> dict[str, Any]:
        value = self.cleaned_data.get("metadata_value", "")
        try:
            values = parse_list(value) if self._is_list else (value,)
        except forms.ValidationError as error:
            self.add_error("metadata_value", error)
            return self.cleaned_data
        if longest := max((len(each) for each in values if len(each) > MAX_VALUE_LENGTH), default=0):
            told = gettext("Ensure this value has at most %(maximum)d characters (it has %(length)d).")
            self.add_error("metadata_value", told % {"maximum": MAX_VALUE_LENGTH, "length": longest})
        return {**self.cleaned_data, "values": values}

    @property
    def query(self) -> Query:
        key = self.cleaned_data["metadata_key"]
        operator: Any = self.cleaned_data["metadata_operator"] or "eq"
        match operator:
            case "exists":
                return MetadataCondition(key, "exists")
            case "absent":
                return Not(MetadataCondition(key, "exists"))
            case _:
                return MetadataCondition(key, operator, self.cleaned_data["values"])

    @property
    def label(self) -> str:
        key, operator, value = self.values
        operators = {
            "": pgettext("a key has a value", "is"),
            "in": pgettext("a key has a value", "is one of"),
            "nin": pgettext("a key has a value", "is there and none of"),
        }
        told = operators.get(operator, dict(self.OPERATORS).get(operator, operator))
        shown = "" if operator in ("exists", "absent") else _shown_list(value) if self._is_list else f"“{value}”"
        return f"{key or '…'} {told} {shown}".rstrip()

    @property
    def text(self) -> str:
        """For records: the condition as it was asked, the same in every language."""
        key, operator, value = self.values
        key, value = (json.dumps(each, ensure_ascii=False) for each in (key, value))
        return f"metadata[{key}] {operator or 'eq'} {value}"

    @property
    def _is_list(self) -> bool:
        return self.data.get("metadata_operator") in ("in", "nin")


def parse_list(text: str) -> tuple[str, ...]:
    """Values by commas. In double quotes, of which one inside is written twice, they may hold commas and spaces."""
    values: list[str] = []
    at = 0
    while True:
        match = _LIST_ENTRY.match(text, at)
        if not match:
            told = _("Expected a value, or one in double quotes, and then a comma, at position %(position)d.")
            raise forms.ValidationError(told, params={"position": at + 1})
        quoted, bare, comma = match.groups()
        values.append(bare.strip() if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if not comma:
            return tuple(values)


def _shown_list(text: str) -> str:
    """Return the values in quotation marks, or the text itself if it can't be parsed."""
    try:
        return ", ".join(f"“{value}”" for value in parse_list(text))
    except forms.ValidationError:
        return text


def _check_storable(text: str) -> str:
    if match := UNSTORABLE_CHARACTER.search(text):
        told = _("The character at position %(position)d can't be stored.")
        raise forms.ValidationError(told, params={"position": match.start() + 1})
    return text
