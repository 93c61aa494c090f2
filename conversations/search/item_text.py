"""The index of what items say: a row for each item that says anything, with its words (see `schema.searchable_text`).

Words are found and compared by this project's own rules, so that PostgreSQL, SQLite and MariaDB/MySQL give the same
answers: each engine only tells which rows have all words of a phrase, wherever, and of these rows those are taken in
which the phrase stands as such. What the engines are told of, none of them parses, stems or leaves out:

- PostgreSQL: a `tsvector` made of the words as they are, with a GIN index.
- SQLite: FTS5 over this table's rows, kept by triggers, which parts words at spaces and nothing else.
- MariaDB and MySQL: a FULLTEXT index of words in ASCII, each with letters before it, so that none is too short, too
  long, on the list of stopwords or made of what is no letter there. It tells of committed rows only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, or_
from typing import Any, Protocol

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, Exists, F, Lookup, OuterRef, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber, StrIndex
from django.db.models.lookups import GreaterThan
from django.db.models.sql.compiler import SQLCompiler

from conversations.conf import app_settings
from conversations.db.batching import AdaptiveBatch
from conversations.db.fields import WordsField, encode_word
from conversations.schema.query.nodes import Query, phrases
from conversations.schema.searchable_text import find_phrase, searchable_text, words

VENDORS = ("postgresql", "sqlite", "mysql")
BATCH = 100  # items in memory at once, some of which are long
PAGES = 1_000  # of SQLite's index, merged in one transaction
SNIPPET_CHARACTERS = 80  # on either side of the hit
FREQUENT = 20_000  # items


class IndexedItem(Protocol):
    """What the index reads of an item."""

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


class HasWords(Lookup):
    """That the database's own index has these words, wherever, in the text of a row."""

    prepare_rhs = False
    rhs: tuple[str, ...]

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        words, _ = self.process_lhs(compiler, connection)
        query = " & ".join(f"'{word}'" for word in self.rhs)  # which hold no punctuation
        return f"conversations_words({words}) @@ %s::tsquery", [query]

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        row, index = f"{connection.ops.quote_name(self.lhs.alias)}.rowid", "conversations_itemtext_words"
        query = " ".join(f'"{word}"' for word in self.rhs)
        return f"{row} IN (SELECT rowid FROM {index} WHERE {index} MATCH %s)", [query]  # noqa: S608

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        words, _ = self.process_lhs(compiler, connection)
        return f"MATCH ({words}) AGAINST (%s IN BOOLEAN MODE)", [" ".join(f"+{encode_word(word)}" for word in self.rhs)]


@dataclass(frozen=True)
class Snippet:
    """A piece of an item's text around the first hit in it."""

    item_id: str
    before: str
    hit: str
    after: str
    is_cut_before: bool
    is_cut_after: bool


class ItemTextQuerySet(models.QuerySet["ItemText"]):
    def add(self, items: Iterable[IndexedItem]) -> None:
        """To be called in the transaction that stores the items. Does nothing where full-text search is off."""
        self.bulk_create(build_item_texts(items, using=self.db), batch_size=BATCH)

    def snippets(self, query: Query, *, items: QuerySet[Any], conversation_ids: Collection[str]) -> dict[str, Snippet]:
        """By conversation, of the first of those items that say most of what is asked for. In two queries."""
        asked = list(dict.fromkeys(phrases(query)))
        if not asked or not conversation_ids:
            return {}
        rows = self.filter(conversation__in=conversation_ids)
        said = [Case(When(_contains_phrase(phrase), then=1), default=0) for phrase in asked]
        best = Window(RowNumber(), partition_by="conversation", order_by=[F("number_said").desc(), "position"])
        ranked = rows.annotate(number_said=reduce(add, said)).filter(number_said__gt=0).annotate(rank=best)
        places = [
            Q(conversation=conversation_id, position=position)
            for conversation_id, position in ranked.filter(rank=1).values_list("conversation", "position")
        ]
        found = items.filter(reduce(or_, places)) if places else items.none()
        return {item.conversation_id: build_snippet(item, asked) for item in found}

    def add_missing(self, items: QuerySet[Any]) -> int:
        """To be called in a transaction that keeps others from changing these items. Tells how many texts it added."""
        present = self.filter(conversation=OuterRef("conversation"), position=OuterRef("position"))
        items = items.filter(~Exists(present)).order_by("conversation_id", "position")
        added, rest = 0, Q()
        while some := list(items.filter(rest)[:BATCH]):
            added += len(self.bulk_create(filter(None, map(ItemText.build, some))))
            last = some[-1]
            rest = Q(conversation__gt=last.conversation_id)
            rest |= Q(conversation=last.conversation_id, position__gt=last.position)
        return added

    def containing_phrase(self, phrase: str) -> ItemTextQuerySet:
        """By looking at each row: of a conversation, or of whatever else they are few of."""
        return self.filter(_contains_phrase(phrase))

    def search_phrase(self, phrase: str) -> ItemTextQuerySet:
        """The same by the database's index, which has no order."""
        return self._with_words(phrase).containing_phrase(phrase)

    def is_frequent(self, phrase: str) -> bool:
        """Whether by PostgreSQL's statistics many items say it: its index reads all of these before it tells of one."""
        if connections[self.db].vendor != "postgresql" or not words(phrase):
            return False
        expected = re.search(r"\brows=(\d+)", self._with_words(phrase).values("pk").explain())
        return expected is not None and int(expected[1]) > FREQUENT

    def _with_words(self, phrase: str) -> ItemTextQuerySet:
        asked = tuple(sorted(set(words(phrase))))
        return self.filter(HasWords(F("words"), asked)) if asked else self.none()

    def purge_deleted_words(self) -> None:
        """SQLite's index keeps words of rows that are gone until it is merged; the others' are no tables.

        As its `optimize`, but some pages at a time, so that others write meanwhile.
        """
        connection = connections[self.db]
        if connection.vendor != "sqlite":
            return
        batch, sign, changes = AdaptiveBatch(using=self.db, max_rows=PAGES), -1, 2  # the sign begins it
        with connection.cursor() as cursor:
            while changes >= 2:  # fewer mean that nothing was left to do
                before = connection.connection.total_changes
                with batch.transaction():
                    cursor.execute(
                        "INSERT INTO conversations_itemtext_words(conversations_itemtext_words, rank) "
                        "VALUES ('merge', %s)",
                        [sign * batch.rows],
                    )
                changes, sign = connection.connection.total_changes - before, 1


class ItemText(models.Model):
    """Of an item, whose place in its conversation it shares. Only conversations take it with them when they go."""

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
        found = words(searchable_text(item.type, item.data))
        if not found:
            return None
        return cls(conversation_id=item.conversation_id, position=item.position, words=_pad_with_spaces(found))


def full_text_enabled(*, using: str) -> bool:
    return app_settings.full_text and connections[using].vendor in VENDORS


def build_item_texts(items: Iterable[IndexedItem], *, using: str) -> list[ItemText]:
    """Unsaved; none where full-text search is off."""
    return list(filter(None, map(ItemText.build, items))) if full_text_enabled(using=using) else []


def build_snippet(item: IndexedItem, asked: Iterable[str]) -> Snippet:
    text = searchable_text(item.type, item.data)
    places = (find_phrase(words(phrase), text) for phrase in asked)
    # A word that was cut has no such place: the text begins then without a hit.
    begin, end = next(filter(None, places), (0, 0))
    around = text[max(begin - SNIPPET_CHARACTERS, 0) : begin], text[end : end + SNIPPET_CHARACTERS]
    return Snippet(
        item_id=item.item_id,
        before=_on_one_line(around[0]),
        hit=_on_one_line(text[begin:end]),
        after=_on_one_line(around[1]),
        is_cut_before=begin > SNIPPET_CHARACTERS,
        is_cut_after=len(text) > end + SNIPPET_CHARACTERS,
    )


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _contains_phrase(phrase: str) -> GreaterThan:
    said = Value(_pad_with_spaces(words(phrase)), output_field=WordsField())
    return GreaterThan(StrIndex(F("words"), said), 0)


def _pad_with_spaces(found: Sequence[str]) -> str:
    return f" {' '.join(found)} "
