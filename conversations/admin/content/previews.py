"""Previews of conversations in a list: the beginnings of their first and last messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Greatest, Left
from django.http import HttpRequest

from conversations.admin.content.access import ContentAdmin, readable
from conversations.models import AccessRecord, Conversation, Item, ItemQuerySet

PREVIEW_COLUMNS = ("first_message", "last_message")
MAX_CHARACTERS = 200  # per preview
MAX_ITEMS = 50  # items at either end of a conversation that are searched for a message
MAX_CONTENT_PARTS = 3  # parts of a message that are searched for a text


@dataclass(frozen=True)
class Preview:
    first_message: str
    last_message: str


def read_previews(
    model_admin: ContentAdmin, request: HttpRequest, conversations: Iterable[Conversation], *, filters_text: str
) -> dict[str, Preview]:
    """Return the previews of the conversations that the user may read, by id, and record one access for all of them."""
    rows = readable(model_admin, request, conversations)
    if not rows:
        return {}
    AccessRecord.objects.record(
        user=request.user, action=AccessRecord.Action.READ, query=filters_text, conversation_count=len(rows)
    )
    return load_previews(rows)


def load_previews(conversations: Iterable[Conversation]) -> dict[str, Preview]:
    """Return previews by conversation id, in one query that reads at most `MAX_ITEMS` items at either end."""
    messages = Item.objects.filter(conversation=OuterRef("pk"), type="message")
    first = messages.filter(position__lte=MAX_ITEMS).order_by("position")
    # MySQL and MariaDB refuse a negative number in an unsigned column's arithmetic.
    before_last = Greatest(OuterRef("last_position"), MAX_ITEMS) - MAX_ITEMS
    last = messages.filter(position__gt=before_last).order_by("-position")
    rows = Conversation.objects.filter(pk__in=[conversation.pk for conversation in conversations])
    texts = rows.values_list("pk", _text_beginning(first), _text_beginning(last))
    return {conversation_id: Preview(_shorten(first), _shorten(last)) for conversation_id, first, last in texts}


def _text_beginning(messages: ItemQuerySet) -> Subquery:
    """Return a subquery for the beginning of the first message's text or refusal."""
    texts = [KT(f"data__content__{part}__text") for part in range(MAX_CONTENT_PARTS)]
    text = Coalesce(*texts, KT("data__content__0__refusal"), Value(""), output_field=TextField())
    return Subquery(messages.annotate(beginning=Left(text, MAX_CHARACTERS + 1)).values("beginning")[:1])


def _shorten(text: str | None) -> str:
    """Return the text on one line, with an ellipsis if it is longer than a preview."""
    text = " ".join((text or "").split())
    return f"{text[: MAX_CHARACTERS - 1]}…" if len(text) > MAX_CHARACTERS else text
