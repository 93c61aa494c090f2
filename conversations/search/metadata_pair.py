from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings
from django.core.exceptions import FullResultSet
from django.db import connections, models
from django.db.models import Min

from conversations.db.fields import BytewiseCharField
from conversations.db.prepared_cursor import SQL, fetch_union
from conversations.db.retry import retry_on_conflict
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


@dataclass(frozen=True)
class Suggestions:
    texts: list[str]
    has_more: bool


class MetadataPairQuerySet(models.QuerySet["MetadataPair"]):
    def replace(self, metadata: Mapping[str, str], *, conversation_id: str, owner_id: Any) -> None:
        """To be called in the transaction that writes the same metadata to the conversation."""
        self.filter(conversation=conversation_id).delete()
        self.bulk_create(build_metadata_pairs(metadata, conversation_id=conversation_id, owner_id=owner_id))

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> MetadataPairQuerySet:
        return self.filter(owner=user.pk)

    @retry_on_conflict
    def suggestions(self, column: Literal["key", "value"], *, prefix: str, limit: int) -> Suggestions:
        """The first `limit` distinct keys or values that begin so, sorted by their bytes.

        One step down an index for each, however many pairs have it, which no planner takes of its own accord.
        """
        [suggestions] = self._suggestions(column, [(self, prefix)], limit)
        return suggestions

    @retry_on_conflict
    def suggested_values(self, prefixes: Iterable[tuple[str, str]], *, limit: int) -> list[Suggestions]:
        """Likewise the values of each of these keys that begin as said beside it, all at one go."""
        return self._suggestions("value", [(self.filter(key=key), prefix) for key, prefix in prefixes], limit)

    def _suggestions(
        self, column: str, wanted: Sequence[tuple[MetadataPairQuerySet, str]], limit: int
    ) -> list[Suggestions]:
        if connections[self.db].vendor == "mysql":
            texts = [pairs._distinct_in_turn(column, prefix, limit + 1) for pairs, prefix in wanted]
        else:
            steps = (pairs._distinct(column, prefix, limit + 1) for pairs, prefix in wanted)
            rows = sorted(fetch_union(steps, using=self.db), key=itemgetter(1))
            texts = [iter([text for text, _, part in rows if part == number]) for number in range(len(wanted))]
        return [_take_prefixed(prefix, each, limit) for (_, prefix), each in zip(wanted, texts, strict=True)]

    def _distinct(self, column: str, start: str, limit: int) -> SQL:
        """Selects texts, each with its number in their order."""
        condition, parameters = self._condition()
        first = f"SELECT {column} FROM {self.model._meta.db_table} WHERE {condition} AND {column}"  # noqa: S608
        steps = f"""
            WITH RECURSIVE found (text, number) AS (
                SELECT ({first} >= %s ORDER BY {column} LIMIT 1), 1
                UNION ALL
                SELECT ({first} > found.text ORDER BY {column} LIMIT 1), number + 1
                FROM found WHERE text IS NOT NULL AND number < %s
            )
            SELECT text, number FROM found WHERE text IS NOT NULL
        """  # noqa: S608
        return steps, (*parameters, start, *parameters, limit)

    def _distinct_in_turn(self, column: str, start: str, limit: int) -> Iterator[str]:
        """For MySQL and MariaDB, which use an index for what is greater than a constant, but not than a column."""
        rest = self.filter(**{f"{column}__gte": start})
        for _ in range(limit):
            text = rest.aggregate(first=Min(column))["first"]
            if text is None:
                return
            yield text
            rest = self.filter(**{f"{column}__gt": text})

    def _condition(self) -> tuple[str, Sequence[Any]]:
        """What these pairs are filtered by."""
        try:
            sql, parameters = self.query.get_compiler(self.db).compile(self.query.where)
        except FullResultSet:
            return "1 = 1", []
        return sql, parameters


def _take_prefixed(prefix: str, texts: Iterator[str], limit: int) -> Suggestions:
    """Takes no more of the texts than it has to: each may be a statement."""
    found = list(takewhile(lambda text: text.startswith(prefix), texts))
    return Suggestions(found[:limit], has_more=len(found) > limit)


class MetadataPair(models.Model):
    """One pair of a conversation's metadata, as an index: the conversation's JSON is the truth.

    A table rather than a JSON index, because it finds a rare value among millions of rows on every database alike.
    Two indexes, for one owner and for all, find the conversations of a value in the order of their creation, and two
    those of a key, with the value at hand: neither has to read the table.
    """

    pk = models.CompositePrimaryKey("conversation_id", "key")
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="metadata_pairs", db_index=False
    )
    # The conversation's, which never changes; the conversation's own key sees to it that there is one.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    key = BytewiseCharField(max_length=MAX_KEY_LENGTH)
    value = BytewiseCharField(max_length=MAX_VALUE_LENGTH)

    objects = MetadataPairQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["key", "value", "conversation"], name="conversations_pair_value"),
            models.Index(fields=["key", "conversation", "value"], name="conversations_pair_key"),
            models.Index(fields=["owner", "key", "value", "conversation"], name="conversations_pair_owner_value"),
            models.Index(fields=["owner", "key", "conversation", "value"], name="conversations_pair_owner_key"),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


def build_metadata_pairs(metadata: Mapping[str, str], *, conversation_id: str, owner_id: Any) -> list[MetadataPair]:
    """Return the unsaved pairs of a conversation's metadata."""
    return [
        MetadataPair(conversation_id=conversation_id, owner_id=owner_id, key=key, value=value)
        for key, value in metadata.items()
    ]
