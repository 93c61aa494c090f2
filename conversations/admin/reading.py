"""How a reader likes transcripts to be shown, kept until the next choice."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

from conversations.admin.preferences import chosen, keep

CHOICES: Mapping[str, tuple[str, ...]] = {"view": ("rendered", "raw"), "show": ("all", "messages")}


def kept_choices(request: HttpRequest) -> dict[str, str]:
    """The choices in the address, which are kept from now on, and those kept before."""
    before = chosen(request, "reading", {})
    asked = {name: request.GET.get(name, before.get(name)) for name in CHOICES}
    choices = {name: value for name, value in asked.items() if value in CHOICES[name]}
    if choices != before:
        keep(request, "reading", choices)
    return choices


def kept_shortcuts(request: HttpRequest) -> bool:
    """Whether single keys do anything: they disturb those who dictate (WCAG 2.1.4)."""
    if (asked := request.GET.get("shortcuts")) in ("on", "off"):
        keep(request, "shortcuts", asked)
    return bool(chosen(request, "shortcuts", "on") == "on")
