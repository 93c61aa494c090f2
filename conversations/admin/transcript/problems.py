"""Problems of a conversation for the top of its transcript: items that failed and calls without output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from django.utils.translation import gettext, ngettext

from conversations.admin.charts import format_count
from conversations.models import ItemQuerySet
from conversations.schema.item_failures import Failure


@dataclass(frozen=True)
class Problem:
    """A link to an item that failed, or to a call without output. The name says what is wrong."""

    position: int
    name: str
    url: str


@dataclass
class Problems:
    """The failed items and the unanswered calls of all pages of a transcript."""

    failed: list[Problem] = field(default_factory=list)
    unanswered: list[Problem] = field(default_factory=list)
    is_complete: bool = True  # False if the conversation has too many failures to read
    max_listed: ClassVar[int] = 200

    @classmethod
    def find(cls, items: ItemQuerySet, *, item_url: Callable[[str], str], max_characters: int) -> Problems:
        failures, is_complete = items.failures(max_characters=max_characters)
        failed = [Problem(row.position, failure_name(row.failure), item_url(row.item_id)) for row in failures]
        unanswered = [
            Problem(call.position, gettext("No output"), item_url(call.item_id)) for call in items.unanswered_calls()
        ]
        return cls(failed, unanswered, is_complete)

    @property
    def listed(self) -> list[Problem]:
        problems = sorted([*self.failed, *self.unanswered], key=lambda problem: problem.position)
        return problems[: self.max_listed]

    @property
    def cut_note(self) -> str:
        """The text that says how many problems are listed, if some are not."""
        if len(self.failed) + len(self.unanswered) <= self.max_listed:
            return ""
        return gettext("Only the first %(count)s problems are listed.") % {"count": format_count(self.max_listed)}

    @property
    def failed_text(self) -> str:
        number = len(self.failed)
        if not self.is_complete:
            return gettext("at least %(count)s failed") % {"count": format_count(number)}
        return ngettext("%(count)s failed", "%(count)s failed", number) % {"count": format_count(number)}

    @property
    def unanswered_text(self) -> str:
        number = len(self.unanswered)
        return ngettext("%(count)s unanswered", "%(count)s unanswered", number) % {"count": format_count(number)}


def failure_name(failure: Failure) -> str:
    """Return what is wrong with the item, for its red mark."""
    if failure.exit_code is not None:
        return gettext("Exit code %(code)s") % {"code": failure.exit_code}
    names = {
        "error": gettext("Error"),
        "failed": gettext("Failed"),
        "incomplete": gettext("Incomplete"),
        "refused": gettext("Refused"),
        "timeout": gettext("Timed out"),
    }
    return names[failure.reason]
