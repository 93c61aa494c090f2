"""Columns of the conversation list, chosen by each member of staff, and how a column shows a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.template.defaultfilters import truncatechars
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from conversations.admin import permissions
from conversations.admin.content.previews import PREVIEW_COLUMNS
from conversations.admin.display_preferences import get_preference, save_preference
from conversations.models import Conversation
from conversations.schema.metadata import MAX_KEY_LENGTH

MAX_KEYS = 8  # columns of metadata keys

FIRST = "id"  # always shown: it links to the conversation and sorts the list
COLUMNS: dict[str, Any] = {
    "created": _("created at"),
    "owner": _("owner"),
    "metadata_pairs": _("metadata"),
    "item_count": _("items"),
    "last_item": _("last item at"),
    "first_message": _("first message"),
    "last_message": _("last message"),
}
DEFAULT = ("created", "owner", "metadata_pairs", "item_count")


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
        names = [name for name in self.allowed if name in self.names]
        return [FIRST, *names, *map(_metadata_column, self.keys), *self.added]

    @property
    def choices(self) -> list[tuple[str, Any, bool]]:
        """The columns to choose from: name, label, and whether the list shows it."""
        return [(name, COLUMNS[name], name in self.names) for name in self.allowed]

    @property
    def key_fields(self) -> list[str]:
        """The values of the form's fields for metadata keys: the chosen keys and an empty one for the next."""
        return [*self.keys, ""][:MAX_KEYS]


def save_columns(request: HttpRequest) -> None:
    """Save the columns of the URL, if it names any, as the user's choice."""
    if "columns" not in request.GET:
        return
    keys = dict.fromkeys(key for key in request.GET.getlist("column_key") if 0 < len(key) <= MAX_KEY_LENGTH)
    names = [name for name in COLUMNS if name in request.GET.getlist("columns")]
    save_preference(request, "columns", {"names": names, "keys": list(keys)[:MAX_KEYS]})


def columns_query_string(request: HttpRequest) -> str:
    """Return the user's choice of columns as part of a URL, or "" if the user has not chosen any."""
    choice = get_preference(request, "columns", None)
    if choice is None:
        return ""
    return urlencode({"columns": choice["names"] or [""], "column_key": choice["keys"]}, doseq=True)


def format_time(moment: datetime | None) -> SafeString | str:
    """Return HTML for a time in the current time zone, with the time in UTC on hover."""
    if moment is None:
        return ""
    utc = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    local = localize(timezone.template_localtime(moment))  # type: ignore[attr-defined]
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), utc, local)


def time_column(model: type[Model], name: str) -> Callable[[Model], str]:
    """Return a display function for a time field, to use in `list_display` and `fields` in its place."""

    def time(row: Model) -> str:
        return format_time(getattr(row, name))

    time.__name__ = name
    field: Any = model._meta.get_field(name)
    time.short_description = field.verbose_name  # type: ignore[attr-defined]
    return time


def _metadata_column(key: str) -> Callable[[Conversation], str]:
    def metadata_value(conversation: Conversation) -> str:
        metadata: Any = conversation.metadata
        return truncatechars(metadata.get(key, ""), 100) if isinstance(metadata, dict) else ""

    metadata_value.short_description = key  # type: ignore[attr-defined]
    return metadata_value
