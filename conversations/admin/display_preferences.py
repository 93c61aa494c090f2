"""What a member of staff has chosen once, for the request at hand and those to come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from conversations.models import Preferences

CACHE_ATTRIBUTE = "_conversations_choices"  # where a request has those of its user
TRANSCRIPT_CHOICES: Mapping[str, tuple[str, ...]] = {"view": ("rendered", "raw"), "show": ("all", "messages")}


def get_preference(request: HttpRequest, name: str, default: Any) -> Any:
    if not hasattr(request, CACHE_ATTRIBUTE):
        setattr(request, CACHE_ATTRIBUTE, Preferences.objects.for_user(request.user))
    return getattr(request, CACHE_ATTRIBUTE).get(name, default)


def save_preference(request: HttpRequest, name: str, choice: Any) -> None:
    setattr(request, CACHE_ATTRIBUTE, Preferences.objects.save_choices(request.user, **{name: choice}))


def transcript_choices(request: HttpRequest) -> dict[str, str]:
    """The choices in the address, which are kept from now on, and those kept before."""
    before = get_preference(request, "reading", {})
    asked = {name: request.GET.get(name, before.get(name)) for name in TRANSCRIPT_CHOICES}
    choices = {name: value for name, value in asked.items() if value in TRANSCRIPT_CHOICES[name]}
    if choices != before:
        save_preference(request, "reading", choices)
    return choices


def shortcuts_enabled(request: HttpRequest) -> bool:
    """Whether single keys do anything: they disturb those who dictate (WCAG 2.1.4)."""
    if (asked := request.GET.get("shortcuts")) in ("on", "off"):
        save_preference(request, "shortcuts", asked)
    return bool(get_preference(request, "shortcuts", "on") == "on")
