"""Panels that other apps add to the page of a conversation and to the overview in the admin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from django.http import HttpRequest

from conversations.models import Conversation

Panel = Callable[[HttpRequest, Conversation], str]
OverviewPanel = Callable[[HttpRequest, datetime, datetime], str]

_panels: list[Panel] = []
_overview_panels: list[OverviewPanel] = []


def register_panel(panel: Panel) -> Panel:
    """Add a panel to the page of each conversation. Use it as a decorator, in the module `admin` of your app.

    The panel is called with the request of a user who may see the conversation, and returns safe HTML, or an empty
    string to add nothing. The user may lack the permission to read messages.
    """
    _panels.append(panel)
    return panel


def register_overview_panel(panel: OverviewPanel) -> OverviewPanel:
    """Add a panel to the overview of all conversations. Use it as a decorator, in the module `admin` of your app.

    The panel is called with the request of a user who may see all conversations and the first moment of the period and
    of the time after it. It returns safe HTML, or an empty string to add nothing.
    """
    _overview_panels.append(panel)
    return panel


def render_panels(request: HttpRequest, conversation: Conversation) -> Iterator[str]:
    """Yield the HTML of the panels that have something to show."""
    return (html for panel in _panels if (html := panel(request, conversation)))


def render_overview_panels(request: HttpRequest, start: datetime, end: datetime) -> Iterator[str]:
    """Yield the HTML of the panels that have something to show of a period."""
    return (html for panel in _overview_panels if (html := panel(request, start, end)))
