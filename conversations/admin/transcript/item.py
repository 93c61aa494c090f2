"""An item for the templates of a transcript, and the download of an item."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.charts import format_count
from conversations.admin.times import format_date_and_time
from conversations.admin.transcript.blocks import (
    Block,
    Label,
    as_json,
    first_blocks,
    flatten,
    pretty_json,
)
from conversations.admin.transcript.fields import field_label, remaining_fields
from conversations.admin.transcript.item_types import ITEM_DISPLAYS, ROLE_NAMES, ItemDisplay, type_label
from conversations.admin.transcript.problems import failure_name
from conversations.models import Item
from conversations.rendering.marks import Marker
from conversations.rendering.safe_urls import escape_bidi_controls
from conversations.retention.redaction import marker_text
from conversations.schema.item_failures import find_failure
from conversations.schema.items import ITEM_TYPES
from conversations.schema.json_limits import replace_nul
from conversations.schema.model_input import REDACTION

MAX_FACT_CHARACTERS = 200
# Short members in the header of an item. They are not repeated in its body.
FACT_MEMBERS = ("name", "namespace", "server_label", "call_id", "approval_request_id", "phase", "status")
COLLAPSED_ROLES = ("system", "developer")


class TranscriptItem:
    """An item with its title, the facts in its header, the blocks of its body and its counterparts.

    `data` is the item's JSON with U+FFFD for NUL characters, which HTML can't hold. Raw JSON has them escaped.

    `call` and `outputs` are the counterparts on the same page. `counterpart_links` has the position and the URL of each
    counterpart on another page. An orphan is a call or an output without any counterpart.
    """

    displays: ClassVar[Mapping[str, ItemDisplay]] = ITEM_DISPLAYS

    def __init__(self, item: Item, *, is_raw: bool = False, is_current: bool = False) -> None:
        self.position = item.position
        self.item_id = item.item_id
        self.type = item.type
        self.call_id = item.call_id
        self.created_at: datetime = item.created_at
        self.data: Any = replace_nul(item.data)
        self._stored_data = item.data
        self.display = self.displays.get(item.type)
        self.is_raw = is_raw
        self.is_current = is_current
        self.call: TranscriptItem | None = None
        self.outputs: list[TranscriptItem] = []
        self.counterpart_links: list[tuple[int, str]] = []
        self.is_orphan = False
        self.is_truncated = False
        self.url = ""
        self.switch_url = ""
        self.fact_urls: dict[str, str] = {}
        self.marker: Marker | None = None  # for what the reader searched for

    @property
    def template_names(self) -> list[str]:
        """The template of a project for this type, if there is one, or else the template that types share."""
        if self.display is None or not isinstance(self.data, dict):
            return ["conversations/items/unknown.html"]
        return [f"conversations/items/{name}.html" for name in (self.type, self.display.template)]

    @property
    def anchor(self) -> str:
        return f"item_{self.item_id}"

    @property
    def download_url(self) -> str:
        return f"../items/{quote(self.item_id, safe='')}/"

    @property
    def created_at_utc(self) -> datetime:
        return self.created_at.astimezone(UTC)

    @property
    def role(self) -> str:
        role = self.data.get("role") if isinstance(self.data, dict) else None
        return role if self.type == "message" and isinstance(role, str) else ""

    @property
    def title(self) -> str:
        label = self.display.label if self.display else self.type
        name = ROLE_NAMES.get(self.role, self.role) if self.role else label
        return escape_bidi_controls(str(name) or gettext("item"))

    @property
    def is_call(self) -> bool:
        return self.type in ITEM_TYPES and bool(ITEM_TYPES[self.type].output_type)

    @cached_property
    def problem(self) -> str:
        """What is wrong with this item, or ""."""
        failure = find_failure(self.data)
        if failure:
            return failure_name(failure)
        return gettext("No output recorded for this call") if self.is_orphan and self.is_call else ""

    @property
    def box_items(self) -> list[TranscriptItem]:
        """The items that share a box: a call and its outputs on the same page, or this item alone."""
        return [self, *self.outputs]

    @property
    def problems(self) -> list[str]:
        """The problems of this item and of the outputs that are shown in its box, each once."""
        return list(dict.fromkeys(filter(None, (item.problem for item in self.box_items))))

    @property
    def is_collapsed(self) -> bool:
        return self.role in COLLAPSED_ROLES or self.type == "reasoning"

    @cached_property
    def facts(self) -> dict[str, str]:
        """Short texts that identify the item. Longer values are shown among the remaining members."""
        members = self.data if isinstance(self.data, dict) else {}
        texts = {name: members[name] for name in FACT_MEMBERS if isinstance(members.get(name), str)}
        short = {name: text for name, text in texts.items() if 0 < len(text) <= MAX_FACT_CHARACTERS}
        return {name: escape_bidi_controls(text) for name, text in short.items()}

    @property
    def marked_name(self) -> str:
        name = self.facts.get("name", "")
        return self.marker.mark_text(name) if self.marker else name

    @property
    def header_facts(self) -> list[tuple[str, Label, str, str]]:
        """Name, label, text and URL, or "", of each fact but the name, which is in the title, and the usual status."""
        facts = {name: text for name, text in self.facts.items() if name != "name" and text != "completed"}
        return [(name, field_label(name), text, self.fact_urls.get(name, "")) for name, text in facts.items()]

    @cached_property
    def blocks(self) -> list[Block]:
        if self.is_raw:
            return [Block("code", "", pretty_json(self._stored_data), language="json")]
        if not isinstance(self.data, dict) or self.display is None or not self.display.renderers:
            return as_json(gettext("JSON"), self.data)
        if redaction := _redaction_blocks(self.data):
            return redaction
        renderers = self.display.renderers
        blocks = [
            block
            for name, (label, renderer) in renderers.items()
            if self.data.get(name) is not None
            for block in renderer(label, self.data[name])
        ]
        visible = {"id", "type", *renderers, *self.facts, *(["role"] if self.role else [])}
        remaining = {name: value for name, value in self.data.items() if name not in visible}
        return blocks + remaining_fields(remaining)

    @property
    def has_match(self) -> bool:
        """Whether the item has what the reader searched for, which a collapsed item must show."""
        return any(block.has_match for block in self.blocks)

    @property
    def size(self) -> int:
        return sum(block.size for block in flatten(self.blocks))

    @property
    def size_text(self) -> str:
        return format_count(self.size)

    @property
    def block_count(self) -> int:
        return sum(1 for _block in flatten(self.blocks))

    def limit_blocks(self, maximum: int) -> None:
        self.is_truncated = self.block_count > maximum
        if self.is_truncated:
            self.blocks = first_blocks(self.blocks, maximum)


def _redaction_blocks(data: dict[str, Any]) -> list[Block]:
    """Return the blocks of an item that stands for a redacted one, or none for any other item.

    Clients may send a member of this name too, but it can't hide other content that they send with it.
    """
    match data.get("content"), data.get(REDACTION):
        case (
            [{"text": str(text)}],
            {"item_type": str(item_type), "reason": str(reason), "redacted_by": str(user), "redacted_at": str(time)},
        ) if text == marker_text(reason):
            facts = {"user": user, "time": _local_time(time)}
            sentence = gettext("On %(time)s, %(user)s redacted this item.") % facts
            return [
                Block("field", "", escape_bidi_controls(sentence)),
                Block("field", _("Reason"), escape_bidi_controls(reason)),
                Block("field", _("Original item"), escape_bidi_controls(type_label(item_type))),
            ]
    return []


def _local_time(text: str) -> str:
    """Return the time in the current time zone and language, or the text if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return format_date_and_time(timezone.localtime(moment) if timezone.is_aware(moment) else moment)
