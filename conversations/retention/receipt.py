"""The receipt of an erasure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import router
from django.utils import timezone

from conversations.models import ItemText

COUNTED = (
    "conversations",
    "items",
    "deleted conversations",
    "request records",
    "saved views",
    "search texts",
    "history texts",
)
CHECKED = "checked"


@dataclass
class Receipt:
    """What was erased, how many of each and when. It names neither the person nor any content."""

    started_at: datetime = field(default_factory=timezone.now)
    finished_at: datetime | None = None
    counts: Counter[str] = field(default_factory=Counter)  # by the plural of what was erased
    protected_count: int = 0  # conversations that stay, because rows of your project refer to them
    held_count: int = 0  # conversations and copies in the trash that stay, because they are on legal hold
    rules: list[int] = field(default_factory=list)  # ids of retention rules that name the person and stay

    @property
    def checked_count(self) -> int:
        """The number of ids of conversations that no table has any more."""
        return self.counts[CHECKED]

    @property
    def index_keeps_words(self) -> bool:
        """Whether the full-text index can keep single words of what was erased until it is rebuilt."""
        return ItemText.objects.using(router.db_for_write(ItemText)).keeps_deleted_words()

    def as_dict(self) -> dict[str, Any]:
        """Return the receipt for the access log, as JSON."""
        return {
            "started": self.started_at.isoformat(timespec="seconds"),
            "finished": self.finished_at.isoformat(timespec="seconds") if self.finished_at else None,
            **{name: self.counts[name] for name in (*COUNTED, CHECKED)},
            "protected": self.protected_count,
            "on legal hold": self.held_count,
            "retention rules": self.rules,
        }

    @classmethod
    def from_dict(cls, details: dict[str, Any]) -> Receipt:
        """Return the receipt that the access log has."""
        return cls(
            started_at=datetime.fromisoformat(details["started"]),
            finished_at=datetime.fromisoformat(details["finished"]) if details["finished"] else None,
            counts=Counter({name: details[name] for name in (*COUNTED, CHECKED)}),
            protected_count=details["protected"],
            held_count=details["on legal hold"],
            rules=details["retention rules"],
        )
