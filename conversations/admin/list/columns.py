"""Columns of the conversation list, chosen by each member of staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.http import urlencode

from conversations.admin import permissions
from conversations.admin.content.previews import PREVIEW_COLUMNS
from conversations.admin.display_preferences import get_preference, save_preference
from conversations.admin.list.cells import COLUMNS, FIELD_CELLS, FIRST, PAIRS, metadata_cell
from conversations.schema.metadata import MAX_KEY_LENGTH

MAX_KEYS = 8  # columns of metadata keys
DEFAULT = ("last_item", "owner", "metadata_pairs", "item_count", "id")


@dataclass(frozen=True)
class Columns:
    """The columns of one user's list: those of the model admin until the user chooses others.

    Columns that a subclass of the model admin adds are always shown.
    """

    names: Sequence[str]
    keys: Sequence[str]  # metadata keys, each a column
    allowed: Sequence[str]
    added: Sequence[Any]

    @classmethod
    def for_request(cls, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Columns:
        choice = get_preference(request, "columns", {"names": model_admin.list_display, "keys": []})
        may_read_content = permissions.may_read_content(request)
        return cls(
            **choice,
            allowed=[name for name in COLUMNS if may_read_content or name not in PREVIEW_COLUMNS],
            added=[column for column in model_admin.list_display if column not in (FIRST, *COLUMNS)],
        )

    @property
    def list_display(self) -> list[Any]:
        """The columns of the table. The metadata has none, because it stands below the title."""
        names = [name for name in self.allowed if name in self.names and name != PAIRS]
        cells = [FIELD_CELLS.get(name, name) for name in names]
        return [FIRST, *cells, *map(metadata_cell, self.keys), *self.added]

    @property
    def has_pairs(self) -> bool:
        return PAIRS in self.names

    @property
    def choices(self) -> list[tuple[str, Any, bool]]:
        """The columns to choose from: name, label, and whether the list shows it."""
        return [(name, COLUMNS[name], name in self.names) for name in self.allowed]

    @property
    def key_fields(self) -> list[str]:
        """The values of the form's fields for metadata keys: the chosen keys and an empty one for the next."""
        return [*self.keys, ""][:MAX_KEYS]


def save_columns(request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> None:
    """Save the columns of the URL, if it names any, as the user's choice."""
    if "columns" not in request.GET:
        return
    keys = dict.fromkeys(key for key in request.GET.getlist("column_key") if 0 < len(key) <= MAX_KEY_LENGTH)
    names = [name for name in COLUMNS if name in request.GET.getlist("columns")]
    choice = {"names": names, "keys": list(keys)[:MAX_KEYS]}
    shown = Columns.for_request(request, model_admin)
    # Without JavaScript every search sends the columns. Those that the list shows anyway are no choice.
    if choice != {"names": [name for name in COLUMNS if name in shown.names], "keys": list(shown.keys)}:
        save_preference(request, "columns", choice)


def columns_query_string(request: HttpRequest) -> str:
    """Return the user's choice of columns as part of a URL, or "" if the user has not chosen any."""
    choice = get_preference(request, "columns", None)
    if choice is None:
        return ""
    return urlencode({"columns": choice["names"] or [""], "column_key": choice["keys"]}, doseq=True)
