"""A user's choices of how the admin's pages look: saved once, for this request and all later ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from conversations.models import Preferences

CACHE_ATTRIBUTE = "_conversations_preferences"  # of the request
TRANSCRIPT_CHOICES: Mapping[str, tuple[str, ...]] = {"view": ("rendered", "raw"), "show": ("all", "messages")}


def get_preference(request: HttpRequest, name: str, default: Any) -> Any:
    if not hasattr(request, CACHE_ATTRIBUTE):
        setattr(request, CACHE_ATTRIBUTE, Preferences.objects.for_user(request.user))
    return getattr(request, CACHE_ATTRIBUTE).get(name, default)


def save_preference(request: HttpRequest, name: str, choice: Any) -> None:
    setattr(request, CACHE_ATTRIBUTE, Preferences.objects.save_choices(request.user, **{name: choice}))


def transcript_preferences(request: HttpRequest) -> dict[str, str]:
    return _known_choices(get_preference(request, "reading", {}))


def save_transcript_preferences(request: HttpRequest) -> None:
    """Save the ways to show a transcript that the URL names. An unknown value resets the choice to the default."""
    saved = transcript_preferences(request)
    choices = _known_choices({**saved, **request.GET.dict()})
    if choices != saved:
        save_preference(request, "reading", choices)


def _known_choices(choices: Mapping[str, str]) -> dict[str, str]:
    return {name: choices[name] for name, values in TRANSCRIPT_CHOICES.items() if choices.get(name) in values}


def shortcuts_enabled(request: HttpRequest) -> bool:
    """Whether single keys are shortcuts. Users of speech input need to switch them off (WCAG 2.1.4)."""
    return bool(get_preference(request, "shortcuts", "on") == "on")


def save_shortcuts(request: HttpRequest) -> None:
    """Save the URL's `shortcuts=on` or `shortcuts=off`, if it has one, as the user's choice."""
    if (choice := request.GET.get("shortcuts")) in ("on", "off"):
        save_preference(request, "shortcuts", choice)
