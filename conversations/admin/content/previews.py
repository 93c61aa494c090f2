"""Previews of conversations: the beginnings of a user's first message and of the last message, and failures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from django.db.models import Case, Count, OuterRef, Subquery, TextField, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Greatest, Left

from conversations.models import Conversation, Item, ItemQuerySet
from conversations.schema.item_failures import FAILED
from conversations.schema.query.nodes import ItemCondition
from conversations.search.predicates import items_with
from conversations.search.unanswered_calls import has_unanswered_call

PREVIEW_COLUMNS = ("last_message",)  # shown with the permission to read content only
MAX_CHARACTERS = 200  # per preview
MAX_ITEMS = 50  # items at either end of a conversation that are searched for a message
MAX_CONTENT_PARTS = 3  # parts of a message that are searched for a text


@dataclass(frozen=True)
class Preview:
    first_message: str
    last_message: str
    failed_count: int  # items that report a failure
    is_unanswered: bool  # whether a call has no output


def load_previews(conversations: Iterable[Conversation], *, has_last: bool) -> dict[str, Preview]:
    """Return previews by conversation id, in one query that reads at most `MAX_ITEMS` items at either end.

    It counts failed items by their index, and compares calls with outputs only where their numbers differ.

    The first message is a user's: instructions of the system and of developers precede it, and are alike in many
    conversations. Without `has_last`, the last message is "".
    """
    messages = Item.objects.filter(conversation=OuterRef("pk"), type="message")
    first = _text_beginning(first_messages_of_users(messages))
    last: Subquery | Value = Value("")
    if has_last:
        # MySQL and MariaDB refuse a negative number in an unsigned column's arithmetic.
        before_last = Greatest(OuterRef("last_position"), MAX_ITEMS) - MAX_ITEMS
        last = _text_beginning(messages.filter(position__gt=before_last).order_by("-position"))
    failed_items = items_with(ItemCondition("status", FAILED)).filter(conversation=OuterRef("pk"))
    failed = Subquery(failed_items.values("conversation").annotate(number=Count("pk")).values("number"))
    is_unanswered = Case(When(has_unanswered_call(Item.objects.all()), then=1), default=0)
    rows = Conversation.objects.filter(pk__in=[conversation.pk for conversation in conversations])
    return {
        pk: Preview(_shorten(start), _shorten(end), failed_count or 0, bool(unanswered))
        for pk, start, end, failed_count, unanswered in rows.values_list("pk", first, last, failed, is_unanswered)
    }


def first_messages(conversations: Iterable[Conversation]) -> dict[str, str]:
    """Return the previews of first messages of users by conversation id, in one query."""
    messages = Item.objects.filter(conversation=OuterRef("pk"), type="message")
    rows = Conversation.objects.filter(pk__in=[conversation.pk for conversation in conversations])
    first = _text_beginning(first_messages_of_users(messages))
    return {pk: _shorten(start) for pk, start in rows.values_list("pk", first)}


def first_messages_of_users(items: ItemQuerySet) -> ItemQuerySet:
    """Return the messages of users among the first `MAX_ITEMS` items of a conversation, in order."""
    return items.filter(type="message", position__lte=MAX_ITEMS, data__role="user").order_by("position")


def first_message(items: ItemQuerySet) -> str:
    """Return the preview of the first message of a user among the items of one conversation."""
    texts = first_messages_of_users(items).annotate(beginning=_beginning()).values_list("beginning", flat=True)
    return _shorten(texts.first())


def first_message_in(items: Iterable[Item]) -> str:
    """Return the same preview of items that are not in the database, in order."""
    for item in islice(items, MAX_ITEMS):
        match item.data:
            case {"type": "message", "role": "user", "content": [*parts]}:
                texts = [part.get("text") for part in parts[:MAX_CONTENT_PARTS] if isinstance(part, dict)]
                return _shorten(next((text for text in texts if isinstance(text, str)), ""))
    return ""


def _text_beginning(messages: ItemQuerySet) -> Subquery:
    """Return a subquery for the beginning of the first message's text or refusal."""
    return Subquery(messages.annotate(beginning=_beginning()).values("beginning")[:1])


def _beginning() -> Left:
    texts = [KT(f"data__content__{part}__text") for part in range(MAX_CONTENT_PARTS)]
    text = Coalesce(*texts, KT("data__content__0__refusal"), Value(""), output_field=TextField())
    return Left(text, MAX_CHARACTERS + 1)


def _shorten(text: str | None) -> str:
    """Return the text on one line, with an ellipsis if it is longer than a preview."""
    text = " ".join((text or "").split())
    return f"{text[: MAX_CHARACTERS - 1]}…" if len(text) > MAX_CHARACTERS else text
