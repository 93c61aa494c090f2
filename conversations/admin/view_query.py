"""What of an address of the list is kept in a saved view, and what of a saved view still means something."""

from __future__ import annotations

from copy import copy
from typing import Any
from urllib.parse import parse_qsl

from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.utils.http import urlencode
from django.utils.translation import gettext

from conversations.admin.change_list import LOOK_ON, OPEN, VIEW
from conversations.admin.columns import COLUMNS
from conversations.admin.conditions import NAMES
from conversations.admin.list_form import ListForm
from conversations.admin.places import PLACES

COLUMN_PARAMETERS = ("columns", "column_key")
NOT_KEPT = (*PLACES, VIEW, OPEN, LOOK_ON, "shortcuts", PAGE_VAR, ERROR_FLAG, ALL_VAR, IS_POPUP_VAR, TO_FIELD_VAR)


def kept(query_string: str) -> str:
    """Filters, order and columns, but no place in the list. Raises `SuspiciousOperation` where there are too many."""
    parameters = _parameters(query_string)
    form = ListForm(parameters)
    return parameters.urlencode() if form.uneven else form.url().removeprefix("?")


def without_columns(query_string: str) -> str:
    """What a view's address has of it once the columns are in the session."""
    pairs = parse_qsl(query_string, keep_blank_values=True)
    return urlencode([(name, value) for name, value in pairs if name not in COLUMN_PARAMETERS])


def still_known(query_string: str, *, model_admin: Any, request: HttpRequest) -> tuple[str, list[str]]:
    """The part of the query string that the list understands, and the rest as a person reads it.

    Owners, operators, columns and filters may be gone since it was saved. Each condition is judged by itself, so that
    one that is gone takes no other along.
    """
    try:
        form = ListForm(_parameters(query_string))
    except SuspiciousOperation:
        return "", [gettext("all of it")]
    known: list[tuple[str, str]] = []
    gone: list[str] = []
    for chip in form.chips:
        is_half = form.uneven and chip.pairs[0][0] in NAMES
        if not is_half and ListForm(QueryDict(urlencode([*known, *chip.pairs]))).is_valid():
            known += chip.pairs
        else:
            gone.append(chip.label)
    for name, value in form.others:
        if _is_parameter(name, value, model_admin, request):
            known.append((name, value))
        else:
            gone.append(f"{name}: {value}")
    return urlencode(known), gone


def _parameters(query_string: str) -> QueryDict:
    parameters = QueryDict(query_string, mutable=True)
    for name in NOT_KEPT:
        parameters.pop(name, None)
    return parameters


def _is_parameter(name: str, value: str, model_admin: Any, request: HttpRequest) -> bool:
    if name in COLUMN_PARAMETERS:
        return name != "columns" or value in ("", *COLUMNS)
    asked = copy(request)
    asked.GET = QueryDict(urlencode({name: value}))
    try:
        model_admin.get_changelist_instance(asked)
    except (IncorrectLookupParameters, SuspiciousOperation):
        return False
    return True
