"""Panels that other apps add to the page of a conversation in the admin."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.http import HttpRequest

from conversations.models import Conversation

Panel = Callable[[HttpRequest, Conversation], str]

_panels: list[Panel] = []


def register_panel(panel: Panel) -> Panel:
    """Add a panel to the page of each conversation. Use it as a decorator, in the module `admin` of your app.

    The panel is called with the request of a user who may see the conversation, and returns safe HTML, or an empty
    string to add nothing. The user may lack the permission to read messages.
    """
    _panels.append(panel)
    return panel


def render_panels(request: HttpRequest, conversation: Conversation) -> Iterator[str]:
    """Yield the HTML of the panels that have something to show."""
    return (html for panel in _panels if (html := panel(request, conversation)))
