"""The beginnings of the first and the last message of each conversation of a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Greatest, Left

from conversations.models import Conversation, Item, ItemQuerySet

PREVIEWS = ("first_message", "last_message")
MAX_CHARACTERS = 200
MAX_ITEMS = 50  # looked through at either end for a message
MAX_PARTS = 3  # of a message, for one that has a text


@dataclass(frozen=True)
class Preview:
    first_message: str
    last_message: str


def previews(conversations: Iterable[Conversation]) -> dict[str, Preview]:
    """By id, in one query, which reads no more than some items of each conversation by their positions."""
    messages = Item.objects.filter(conversation=OuterRef("pk"), type="message")
    first = messages.filter(position__lte=MAX_ITEMS).order_by("position")
    # Not below zero, which MySQL and MariaDB refuse.
    before_last = Greatest(OuterRef("last_position"), MAX_ITEMS) - MAX_ITEMS
    last = messages.filter(position__gt=before_last).order_by("-position")
    rows = Conversation.objects.filter(pk__in=[conversation.pk for conversation in conversations])
    found = rows.values_list("pk", _beginning(first), _beginning(last))
    return {conversation_id: Preview(_cut(first), _cut(last)) for conversation_id, first, last in found}


def _beginning(messages: ItemQuerySet) -> Subquery:
    texts = [KT(f"data__content__{part}__text") for part in range(MAX_PARTS)]
    text = Coalesce(*texts, KT("data__content__0__refusal"), Value(""), output_field=TextField())
    return Subquery(messages.annotate(beginning=Left(text, MAX_CHARACTERS + 1)).values("beginning")[:1])


def _cut(text: str | None) -> str:
    text = " ".join((text or "").split())
    return f"{text[: MAX_CHARACTERS - 1]}…" if len(text) > MAX_CHARACTERS else text
