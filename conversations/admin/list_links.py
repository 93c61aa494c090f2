"""Addresses of the conversation list, filtered."""

from __future__ import annotations

from datetime import date, timedelta, tzinfo
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from conversations.counting import first_second


class ListLinks:
    def __init__(self, site_name: str, zone: tzinfo) -> None:
        self.url = reverse("admin:conversations_conversation_changelist", current_app=site_name)
        self.zone = zone

    def of_day(self, day: date) -> str:
        if self.zone == timezone.get_current_timezone():
            return self._filtered(created_from=day.isoformat(), created_to=day.isoformat())
        first, end = (first_second(each, self.zone) for each in (day, day + timedelta(days=1)))
        return self._filtered(q=f"created>={first} created<{end}")

    def of_key(self, key: str) -> str:
        return self._filtered(metadata_key=key, metadata_operator="exists", metadata_value="")

    def of_value(self, key: str, value: str) -> str:
        return self._filtered(metadata_key=key, metadata_operator="eq", metadata_value=value)

    def of_owner(self, username: str) -> str:
        return self._filtered(owner=username)

    def _filtered(self, **parameters: str) -> str:
        return f"{self.url}?{urlencode(parameters)}"
