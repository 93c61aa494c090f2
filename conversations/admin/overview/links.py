from __future__ import annotations

import re
from datetime import UTC, date, timedelta, tzinfo
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from conversations.overview.rollup import day_start_seconds

_ESCAPED_CHARACTERS = re.compile(r'[\\"]')

Pairs = list[tuple[str, str]]


class ListLinks:
    """URLs of the conversation list with a filter, beside the conditions that all of them have."""

    def __init__(self, site_name: str, zone: tzinfo = UTC, conditions: Pairs | None = None) -> None:
        self.url = reverse("admin:conversations_conversation_changelist", current_app=site_name)
        self.zone = zone
        self.conditions = conditions or []

    def day_url(self, day: date) -> str:
        """Return a link to the conversations created on a day of the overview's time zone.

        The date fields of the list are in the current time zone, so a day of another zone needs exact times.
        """
        if self.zone == timezone.get_current_timezone():
            return self._filtered(created_from=day.isoformat(), created_to=day.isoformat())
        first, end = (day_start_seconds(each, self.zone) for each in (day, day + timedelta(days=1)))
        return self._searched(f"created>={first} created<{end}")

    def key_url(self, key: str) -> str:
        return self._filtered(metadata_key=key, metadata_operator="exists", metadata_value="")

    def value_url(self, key: str, value: str) -> str:
        return self._filtered(metadata_key=key, metadata_operator="eq", metadata_value=value)

    def owner_url(self, username: str) -> str:
        return self._filtered(owner=username)

    def tool_url(self, tool: str) -> str:
        escaped = _ESCAPED_CHARACTERS.sub(r"\\\g<0>", tool)
        return self._searched(f'@tool:"{escaped}"')

    def failures_url(self) -> str:
        return self._searched("@status:failed")

    def _searched(self, condition: str) -> str:
        """Return the URL with the condition beside the search that all links have."""
        search = " ".join([*(f"({value})" for name, value in self.conditions if name == "q"), condition])
        return self._url([(name, value) for name, value in self.conditions if name != "q"], q=search)

    def _filtered(self, **parameters: str) -> str:
        return self._url(self.conditions, **parameters)

    def _url(self, conditions: Pairs, **parameters: str) -> str:
        return f"{self.url}?{urlencode([*conditions, *parameters.items()])}"
