"""The full-text index: a row with the words of each item that has searchable text (see `schema.searchable_text`).

Words are split and phrases compared by this project's own rules, so that SQLite, PostgreSQL and MariaDB/MySQL give the
same results. The engine's index (see `db.word_index`) finds rows that contain all words of a phrase; of these, the rows
in which the words stand next to each other and in order are selected.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, or_
from typing import Any, Protocol

from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber, StrIndex
from django.db.models.lookups import GreaterThan

from conversations.conf import app_settings
from conversations.db import word_index
from conversations.db.fields import WordsField
from conversations.db.word_index import HasWords
from conversations.schema.query.nodes import Query, collect_phrases
from conversations.schema.searchable_text import extract_text, find_phrase, split_words

BATCH = 100  # items in memory at once; some are long
SNIPPET_CHARACTERS = 80  # on either side of the hit
FREQUENT = 20_000  # estimated items from which a phrase is too frequent to enumerate


class IndexedItem(Protocol):
    """The attributes of an item that the index reads."""

    @property
    def conversation_id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def item_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def data(self) -> Any: ...


@dataclass(frozen=True)
class Snippet:
    """Part of an item's text around its first hit."""

    item_id: str
    before: str
    hit: str
    after: str
    is_cut_before: bool
    is_cut_after: bool


class ItemTextQuerySet(models.QuerySet["ItemText"]):
    def add(self, items: Iterable[IndexedItem]) -> None:
        """Index the items, unless full-text search is off. Call this in the transaction that stores them."""
        self.bulk_create(build_item_texts(items, using=self.db), batch_size=BATCH)

    def add_missing(self, items: QuerySet[Any]) -> int:
        """Index the items that are not indexed yet, and return the number of rows added.

        Call this in a transaction that locks the items' conversations.
        """
        present = self.filter(conversation=OuterRef("conversation"), position=OuterRef("position"))
        items = items.filter(~Exists(present)).order_by("conversation_id", "position")
        number_added, remaining = 0, Q()
        while batch := list(items.filter(remaining)[:BATCH]):
            number_added += len(self.bulk_create(filter(None, map(ItemText.build, batch))))
            last = batch[-1]
            remaining = Q(conversation__gt=last.conversation_id)
            remaining |= Q(conversation=last.conversation_id, position__gt=last.position)
        return number_added

    def containing_phrase(self, phrase: str) -> ItemTextQuerySet:
        """Filter by comparing each row's words, without an index: for rows of few conversations."""
        return self.filter(_contains_phrase(phrase))

    def search_phrase(self, phrase: str) -> ItemTextQuerySet:
        """Filter by the engine's index. It returns rows in no particular order."""
        return self._with_words(phrase).containing_phrase(phrase)

    def is_frequent(self, phrase: str) -> bool:
        """Whether PostgreSQL's statistics expect more than `FREQUENT` rows; False on other databases.

        A GIN index reads all rows with a word before it returns the first one.
        """
        if not word_index.has_row_estimates(using=self.db) or not split_words(phrase):
            return False
        return word_index.estimate_rows(self._with_words(phrase).values("pk")) > FREQUENT

    def purge_deleted_words(self) -> None:
        """Remove the words of deleted rows from SQLite's index; see `word_index.purge_deleted_words`."""
        word_index.purge_deleted_words(using=self.db)

    def keeps_deleted_words(self) -> bool:
        return word_index.keeps_deleted_words(using=self.db)

    def rebuild_index(self) -> None:
        """Rebuild the engine's index, so that it has no words of deleted rows; see `word_index.rebuild`."""
        word_index.rebuild(using=self.db)

    def _with_words(self, phrase: str) -> ItemTextQuerySet:
        distinct_words = tuple(sorted(set(split_words(phrase))))
        return self.filter(HasWords(F("words"), distinct_words)) if distinct_words else self.none()

    def snippets(self, query: Query, *, items: QuerySet[Any], conversation_ids: Collection[str]) -> dict[str, Snippet]:
        """Return a snippet by conversation id, in two statements.

        It is of the item that contains the most phrases of the query; of several, of the first one.
        """
        phrases = list(dict.fromkeys(collect_phrases(query)))
        if not phrases or not conversation_ids:
            return {}
        rows = self.filter(conversation__in=conversation_ids)
        hits = [Case(When(_contains_phrase(phrase), then=1), default=0) for phrase in phrases]
        rank = Window(RowNumber(), partition_by="conversation", order_by=[F("number_of_hits").desc(), "position"])
        ranked = rows.annotate(number_of_hits=reduce(add, hits)).filter(number_of_hits__gt=0).annotate(rank=rank)
        best_items = [
            Q(conversation=conversation_id, position=position)
            for conversation_id, position in ranked.filter(rank=1).values_list("conversation", "position")
        ]
        matching_items = items.filter(reduce(or_, best_items)).order_by() if best_items else items.none()
        return {item.conversation_id: build_snippet(item, phrases) for item in matching_items}


class ItemText(models.Model):
    """The words of one item, identified by its conversation and position.

    Deleting a conversation deletes its rows by cascade; whoever deletes an item has to delete its row.
    """

    id = models.BigAutoField(primary_key=True)
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="item_texts", db_index=False
    )
    position = models.PositiveIntegerField()
    words = WordsField()

    objects = ItemTextQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["conversation", "position"], name="conversations_itemtext_unique_position")
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id} {self.position}"

    @classmethod
    def build(cls, item: IndexedItem) -> ItemText | None:
        """Return an unsaved row, or None if the item has no searchable words."""
        item_words = split_words(extract_text(item.type, item.data))
        if not item_words:
            return None
        return cls(conversation_id=item.conversation_id, position=item.position, words=_pad_with_spaces(item_words))


def full_text_enabled(*, using: str) -> bool:
    return app_settings.full_text and word_index.has_word_index(using=using)


def build_item_texts(items: Iterable[IndexedItem], *, using: str) -> list[ItemText]:
    """Return unsaved rows, none if full-text search is off."""
    return list(filter(None, map(ItemText.build, items))) if full_text_enabled(using=using) else []


def build_snippet(item: IndexedItem, phrases: Iterable[str]) -> Snippet:
    text = extract_text(item.type, item.data)
    hits = (find_phrase(split_words(phrase), text) for phrase in phrases)
    # The index cuts very long words, so that a phrase may match rows without being in the text: no hit then.
    begin, end = next(filter(None, hits), (0, 0))
    before, after = text[max(begin - SNIPPET_CHARACTERS, 0) : begin], text[end : end + SNIPPET_CHARACTERS]
    return Snippet(
        item_id=item.item_id,
        before=_on_one_line(before),
        hit=_on_one_line(text[begin:end]),
        after=_on_one_line(after),
        is_cut_before=begin > SNIPPET_CHARACTERS,
        is_cut_after=len(text) > end + SNIPPET_CHARACTERS,
    )


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _contains_phrase(phrase: str) -> GreaterThan:
    padded_phrase = Value(_pad_with_spaces(split_words(phrase)), output_field=WordsField())
    return GreaterThan(StrIndex(F("words"), padded_phrase), 0)


def _pad_with_spaces(sequence: Sequence[str]) -> str:
    return f" {' '.join(sequence)} "
