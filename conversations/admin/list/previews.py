"""Previews of conversations in the list: the beginnings of their first and last messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Greatest, Left
from django.http import HttpRequest

from conversations.models import AccessRecord, Conversation, Item, ItemQuerySet

PREVIEW_COLUMNS = ("first_message", "last_message")
MAX_CHARACTERS = 200  # per preview
MAX_ITEMS = 50  # items searched for a message at either end of a conversation
MAX_PARTS = 3  # content parts of a message searched for text


@dataclass(frozen=True)
class Preview:
    first_message: str
    last_message: str


def add_previews(
    model_admin: Any, request: HttpRequest, conversations: Iterable[Conversation], *, query_text: str
) -> None:
    """Give each conversation that the user may read its `preview`, if a column of the list shows previews.

    One entry in the access log, written first, covers all conversations of the page.
    """
    readable = [row for row in conversations if model_admin.has_read_content_permission(request, row)]
    if not readable or not set(PREVIEW_COLUMNS).intersection(model_admin.get_list_display(request)):
        return
    AccessRecord.objects.record(
        user=request.user,
        action=AccessRecord.Action.READ,
        query=query_text,
        conversation_count=len(readable),
    )
    previews = load_previews(readable)
    for conversation in readable:
        conversation.preview = previews.get(conversation.pk)  # type: ignore[attr-defined]


def load_previews(conversations: Iterable[Conversation]) -> dict[str, Preview]:
    """Return the previews by conversation id, in one query that reads at most `MAX_ITEMS` items at either end."""
    messages = Item.objects.filter(conversation=OuterRef("pk"), type="message")
    first = messages.filter(position__lte=MAX_ITEMS).order_by("position")
    # MySQL and MariaDB refuse a negative number in an unsigned column's arithmetic.
    before_last = Greatest(OuterRef("last_position"), MAX_ITEMS) - MAX_ITEMS
    last = messages.filter(position__gt=before_last).order_by("-position")
    rows = Conversation.objects.filter(pk__in=[conversation.pk for conversation in conversations])
    texts = rows.values_list("pk", _beginning(first), _beginning(last))
    return {conversation_id: Preview(_shorten(first), _shorten(last)) for conversation_id, first, last in texts}


def _beginning(messages: ItemQuerySet) -> Subquery:
    """Return a subquery for the beginning of the first message's text or refusal."""
    texts = [KT(f"data__content__{part}__text") for part in range(MAX_PARTS)]
    text = Coalesce(*texts, KT("data__content__0__refusal"), Value(""), output_field=TextField())
    return Subquery(messages.annotate(beginning=Left(text, MAX_CHARACTERS + 1)).values("beginning")[:1])


def _shorten(text: str | None) -> str:
    """Return the text on one line, with an ellipsis if it is longer than a preview."""
    text = " ".join((text or "").split())
    return f"{text[: MAX_CHARACTERS - 1]}…" if len(text) > MAX_CHARACTERS else text
