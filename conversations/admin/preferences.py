"""What a member of staff has chosen once, for the request at hand and those to come."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from conversations.models import Preferences

CHOICES = "_conversations_choices"  # where a request has those of its user


def chosen(request: HttpRequest, name: str, default: Any) -> Any:
    if not hasattr(request, CHOICES):
        setattr(request, CHOICES, Preferences.objects.of(request.user))
    return getattr(request, CHOICES).get(name, default)


def keep(request: HttpRequest, name: str, choice: Any) -> None:
    setattr(request, CHOICES, Preferences.objects.keep(request.user, **{name: choice}))
