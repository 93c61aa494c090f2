"""An item as the transcript's templates show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext

from conversations.admin.transcript.blocks import Block, Label, as_json, flatten, pretty_json, remaining_fields
from conversations.admin.transcript.item_types import ITEM_DISPLAYS, ROLE_NAMES, ItemDisplay
from conversations.admin.transcript.safe_urls import with_visible_controls
from conversations.models import Item
from conversations.schema.items import ITEM_TYPES

MAX_FACT_CHARACTERS = 200
SUBJECTS = ("name", "namespace", "server_label", "call_id", "approval_request_id", "phase", "status")
FOLDED_ROLES = ("system", "developer")


class ShownItem:
    """A title, facts for its first line, and parts; beside them the item's place in the transcript.

    `calls` and `answers` are its counterparts on the same page, `elsewhere` the addresses of those on other pages.
    """

    displays: ClassVar[Mapping[str, ItemDisplay]] = ITEM_DISPLAYS

    def __init__(self, item: Item, *, is_raw: bool = False, is_current: bool = False) -> None:
        self.position = item.position
        self.item_id = item.item_id
        self.type = item.type
        self.created_at: datetime = item.created_at
        self.data: Any = item.data
        self.display = self.displays.get(item.type)
        self.is_raw = is_raw
        self.is_current = is_current
        self.call: ShownItem | None = None
        self.answers: list[ShownItem] = []
        self.elsewhere: list[tuple[int, str]] = []
        self.is_orphan = False
        self.url = ""
        self.switch_url = ""
        self.fact_urls: dict[str, str] = {}

    @property
    def template_names(self) -> list[str]:
        """The templates to select from: the type's own, if the project has one, before the one that types share."""
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
        return with_visible_controls(str(name) or gettext("item"))

    @property
    def is_call(self) -> bool:
        return self.type in ITEM_TYPES and bool(ITEM_TYPES[self.type].output_type)

    @property
    def summary(self) -> Label:
        return self.display.summary if self.display else ""

    @property
    def is_folded(self) -> bool:
        return self.role in FOLDED_ROLES or self.type == "reasoning"

    @cached_property
    def facts(self) -> dict[str, str]:
        """Members that tell what this is about. Only short texts: anything else is shown with the other members."""
        members = self.data if isinstance(self.data, dict) else {}
        texts = {name: members[name] for name in SUBJECTS if isinstance(members.get(name), str)}
        short = {name: text for name, text in texts.items() if 0 < len(text) <= MAX_FACT_CHARACTERS}
        return {name: with_visible_controls(text) for name, text in short.items()}

    @property
    def told_facts(self) -> list[tuple[str, str, str]]:
        """Name, text and address, if any: without the name in the title, and the status that nobody asks about."""
        told = {name: text for name, text in self.facts.items() if name != "name" and text != "completed"}
        return [(name, text, self.fact_urls.get(name, "")) for name, text in told.items()]

    @cached_property
    def parts(self) -> list[Block]:
        if self.is_raw:
            return [Block("code", "", pretty_json(self.data))]
        if not isinstance(self.data, dict) or self.display is None or not self.display.renderers:
            return as_json(gettext("JSON"), self.data)
        renderers = self.display.renderers
        shown = [
            part
            for name, (label, renderer) in renderers.items()
            if self.data.get(name) is not None
            for part in renderer(label, self.data[name])
        ]
        told = {"id", "type", *renderers, *self.facts, *(["role"] if self.role else [])}
        rest = remaining_fields({name: value for name, value in self.data.items() if name not in told})
        return shown + rest

    @property
    def size(self) -> int:
        return sum(part.size for part in flatten(self.parts))


def download_response(item: Item) -> HttpResponse:
    """Return the item's JSON as a download that browsers save instead of displaying."""
    response = HttpResponse(
        orjson.dumps(item.data, option=orjson.OPT_INDENT_2), content_type="text/plain; charset=utf-8"
    )
    response.headers["Content-Disposition"] = content_disposition_header(True, f"{item.item_id}.json.txt")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
