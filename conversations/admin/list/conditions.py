"""A metadata condition as a row of the list's filter form: key, operator, value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from conversations.admin.list.parameters import CONDITION_PARAMETERS
from conversations.schema.json_limits import UNSTORABLE_CHARACTER
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.schema.query.nodes import MetadataCondition, Not, Query
from conversations.schema.query.operators import METADATA_OPERATORS, Arity

MAX_LIST_LENGTH = 16 * (MAX_VALUE_LENGTH + 4)  # 16 values of the maximum length with quotes, a comma and a space

# The operators in the order of the form. One that takes several values is labelled “(comma-separated)” there.
OPERATOR_LABELS = {
    "eq": pgettext_lazy("a key has a value", "is"),
    "ne": pgettext_lazy("a key has a value", "is set and is not"),
    "in": pgettext_lazy("a key has a value", "is any of"),
    "nin": pgettext_lazy("a key has a value", "is set and is none of"),
    "prefix": pgettext_lazy("a key has a value", "begins with"),
    "suffix": pgettext_lazy("a key has a value", "ends with"),
    "contains": pgettext_lazy("a key has a value", "contains"),
    "exists": pgettext_lazy("a key has a value", "is set"),
}
ABSENT = "absent"  # the negation of `exists`, an operator of this form only
ABSENT_LABEL = pgettext_lazy("a key has a value", "is not set")

# A value in double quotes, or a bare value with any spaces after it. The quantifiers are possessive, because
# backtracking would scan a value of many spaces many times.
_LIST_ENTRY = re.compile(r'\s*+(?:"((?:[^"]|"")*+)"\s*+|([^",]*+))(?:(,)|\Z)')


def _operator_choices() -> Iterator[tuple[str, Any]]:
    for name, label in OPERATOR_LABELS.items():
        is_list = METADATA_OPERATORS[name].arity is Arity.MANY_VALUES
        yield name, format_lazy(_("{operator} (comma-separated)"), operator=label) if is_list else label
    yield ABSENT, ABSENT_LABEL


class ConditionForm(forms.Form):
    """A row of the filter form.

    Every row sends all `CONDITION_PARAMETERS`, empty or not, so the n-th values of the three belong to the same row.
    """

    use_required_attribute = False

    metadata_key = forms.CharField(label=_("Key"), max_length=MAX_KEY_LENGTH, strip=False)
    metadata_operator = forms.ChoiceField(label=_("Condition"), choices=list(_operator_choices()), required=False)
    metadata_value = forms.CharField(label=_("Value"), max_length=MAX_LIST_LENGTH, strip=False, required=False)

    def __init__(self, raw_values: tuple[str, str, str] | None = None, *, number: int) -> None:
        data = dict(zip(CONDITION_PARAMETERS, raw_values, strict=True)) if raw_values else None
        super().__init__(data, auto_id=f"condition_{number}_%s")
        self.number = number
        for name in ("metadata_key", "metadata_value"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "data-completes": name.removeprefix("metadata_")}

    @property
    def raw_values(self) -> tuple[str, str, str]:
        """Key, operator and value as they are in the URL."""
        key, operator, value = (self.data.get(name, "") for name in CONDITION_PARAMETERS)
        return key, operator, value

    @property
    def is_blank(self) -> bool:
        """Whether nothing was entered. Browsers preselect the first operator, so an untouched row has `eq`."""
        return self.raw_values in (("", "", ""), ("", "eq", ""))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The row's parameters in the URL."""
        return list(zip(CONDITION_PARAMETERS, self.raw_values, strict=True))

    def clean_metadata_key(self) -> str:
        return _check_storable(self.cleaned_data["metadata_key"])

    def clean_metadata_value(self) -> str:
        return _check_storable(self.cleaned_data["metadata_value"])

    def clean(self) -> dict[str, Any]:
        value = self.cleaned_data.get("metadata_value", "")
        try:
            values = parse_list(value) if self._arity is Arity.MANY_VALUES else (value,)
        except forms.ValidationError as error:
            self.add_error("metadata_value", error)
            return self.cleaned_data
        longest = max(map(len, values))
        if longest > MAX_VALUE_LENGTH:
            message = gettext("Ensure this value has at most %(maximum)d characters (it has %(length)d).")
            self.add_error("metadata_value", message % {"maximum": MAX_VALUE_LENGTH, "length": longest})
        return {**self.cleaned_data, "values": values}

    @property
    def query(self) -> Query:
        """The condition of a valid row."""
        key = self.cleaned_data["metadata_key"]
        if self._operator_name == ABSENT:
            return Not(MetadataCondition(key, "exists"))
        values = () if self._arity is Arity.NO_VALUE else self.cleaned_data["values"]
        return MetadataCondition(key, self._operator_name, values)

    @property
    def label(self) -> str:
        """The condition as a phrase, even if it is invalid."""
        key, operator, value = self.raw_values
        operator_label = ABSENT_LABEL if operator == ABSENT else OPERATOR_LABELS.get(self._operator_name, operator)
        quoted_value = in_quotes(value)
        if self._arity is Arity.NO_VALUE:
            quoted_value = ""
        elif self._arity is Arity.MANY_VALUES:
            quoted_value = _quote_list(value)
        return f"{key or '…'} {operator_label} {quoted_value}".rstrip()

    @property
    def text(self) -> str:
        """The condition for the access log, the same in every language."""
        key, operator, value = self.raw_values
        key, value = (json.dumps(each, ensure_ascii=False) for each in (key, value))
        return f"metadata[{key}] {operator or 'eq'} {value}"

    @property
    def _operator_name(self) -> str:
        return self.data.get("metadata_operator") or "eq"

    @property
    def _arity(self) -> Arity:
        if self._operator_name == ABSENT:
            return Arity.NO_VALUE
        operator = METADATA_OPERATORS.get(self._operator_name)
        return operator.arity if operator else Arity.ONE_VALUE


def parse_list(text: str) -> tuple[str, ...]:
    """Split comma-separated values. Spaces around a value do not count.

    A value in double quotes may contain commas and begin or end with spaces; a double quote in it is written twice.
    """
    values: list[str] = []
    position = 0
    while True:
        match = _LIST_ENTRY.match(text, position)
        if not match:
            message = _("Expected a value, or one in double quotes, and then a comma, at position %(position)d.")
            raise forms.ValidationError(message, params={"position": position + 1})
        quoted, bare, comma = match.groups()
        values.append(bare.strip() if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if not comma:
            return tuple(values)


def in_quotes(value: str) -> str:
    """Return the text in the quotation marks of the language."""
    return gettext("“%(value)s”") % {"value": value}


def _quote_list(text: str) -> str:
    """Return the values in quotation marks, or the text itself if it can't be parsed."""
    try:
        return ", ".join(map(in_quotes, parse_list(text)))
    except forms.ValidationError:
        return text


def _check_storable(text: str) -> str:
    if match := UNSTORABLE_CHARACTER.search(text):
        message = _("The character at position %(position)d can't be stored.")
        raise forms.ValidationError(message, params={"position": match.start() + 1})
    return text
