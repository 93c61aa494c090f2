"""The columns of the conversation list: those that a member of staff has chosen."""

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
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from conversations.admin import permissions
from conversations.admin.display_preferences import get_preference, save_preference
from conversations.admin.list.previews import PREVIEWS
from conversations.models import Conversation
from conversations.schema.metadata import MAX_KEY_LENGTH

MAX_KEYS = 8

FIRST = "id"  # always there: it is the link, and what the list is sorted by
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
    """Those of the class, until others are chosen. Ones that a subclass brings are always shown."""

    names: Sequence[str]
    keys: Sequence[str]  # of metadata
    allowed: Sequence[str]
    own: Sequence[Any]

    @classmethod
    def from_request(cls, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Columns:
        kept = get_preference(request, "columns", {"names": model_admin.list_display, "keys": []})
        may_read_content = permissions.may_read_content(request)
        return cls(
            **kept,
            allowed=[name for name in COLUMNS if may_read_content or name not in PREVIEWS],
            own=[column for column in model_admin.list_display if column not in (FIRST, *COLUMNS)],
        )

    def of_list(self) -> list[Any]:
        chosen = [name for name in self.allowed if name in self.names]
        return [FIRST, *chosen, *map(_metadata_column, self.keys), *self.own]

    @property
    def choices(self) -> list[tuple[str, Any, bool]]:
        """Names, labels and whether they are shown."""
        return [(name, COLUMNS[name], name in self.names) for name in self.allowed]

    @property
    def key_fields(self) -> list[str]:
        """The keys, and an empty one for the next."""
        return [*self.keys, ""][:MAX_KEYS]


def save_columns(request: HttpRequest) -> None:
    """The choice in the address, if there is any."""
    if "columns" not in request.GET:
        return
    keys = dict.fromkeys(key for key in request.GET.getlist("column_key") if 0 < len(key) <= MAX_KEY_LENGTH)
    names = [name for name in COLUMNS if name in request.GET.getlist("columns")]
    save_preference(request, "columns", {"names": names, "keys": list(keys)[:MAX_KEYS]})


def format_time(moment: datetime | None) -> SafeString | str:
    """In the time zone of the page, and in UTC for those who point at it."""
    if moment is None:
        return ""
    utc = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    local = localize(timezone.template_localtime(moment))  # type: ignore[attr-defined]
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), utc, local)


def time_column(model: type[Model], name: str) -> Callable[[Model], str]:
    """For lists and pages of the admin, in place of the model's field."""

    def shown(row: Model) -> str:
        return format_time(getattr(row, name))

    shown.__name__ = name
    field: Any = model._meta.get_field(name)
    shown.short_description = field.verbose_name  # type: ignore[attr-defined]
    return shown


def _metadata_column(key: str) -> Callable[[Conversation], str]:
    def metadata_value(conversation: Conversation) -> str:
        metadata: Any = conversation.metadata
        return truncatechars(metadata.get(key, ""), 100) if isinstance(metadata, dict) else ""

    metadata_value.short_description = key  # type: ignore[attr-defined]
    return metadata_value
