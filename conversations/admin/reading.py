"""How a reader likes transcripts to be shown, kept in the session until the next choice."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

CHOICES: Mapping[str, tuple[str, ...]] = {"view": ("rendered", "raw"), "show": ("all", "messages")}
SESSION_KEY = "conversations_reading"
SHORTCUTS_SESSION_KEY = "conversations_shortcuts"


def kept_choices(request: HttpRequest) -> dict[str, str]:
    """The choices in the address, which are kept from now on, and those kept before."""
    before = request.session.get(SESSION_KEY, {})
    asked = {name: request.GET.get(name, before.get(name)) for name in CHOICES}
    choices = {name: value for name, value in asked.items() if value in CHOICES[name]}
    if choices != before:
        request.session[SESSION_KEY] = choices
    return choices


def kept_shortcuts(request: HttpRequest) -> bool:
    """Whether single keys do anything: they disturb those who dictate (WCAG 2.1.4)."""
    if (asked := request.GET.get("shortcuts")) in ("on", "off"):
        request.session[SHORTCUTS_SESSION_KEY] = asked
    return bool(request.session.get(SHORTCUTS_SESSION_KEY) != "off")
