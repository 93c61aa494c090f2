"""The metadata index: a narrow table with one row for each key-value pair of each conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings
from django.db import models

from conversations.db.distinct_texts import iter_distinct_texts
from conversations.db.fields import BytewiseCharField
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
        """Replace the pairs. Call this in the transaction that writes the metadata to the conversation."""
        self.filter(conversation=conversation_id).delete()
        self.bulk_create(build_metadata_pairs(metadata, conversation_id=conversation_id, owner_id=owner_id))

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> MetadataPairQuerySet:
        return self.filter(owner=user.pk)

    @retry_on_conflict
    def suggestions(self, column: Literal["key", "value"], *, prefix: str, limit: int) -> Suggestions:
        """Return the first `limit` distinct keys or values with this prefix, sorted by their bytes."""
        [suggestions] = self._suggestions(column, [(self, prefix)], limit)
        return suggestions

    @retry_on_conflict
    def suggested_values(self, prefixes: Iterable[tuple[str, str]], *, limit: int) -> list[Suggestions]:
        """Return the first `limit` values for each (key, prefix), in one round trip except on MariaDB and MySQL."""
        return self._suggestions("value", [(self.filter(key=key), prefix) for key, prefix in prefixes], limit)

    def _suggestions(
        self, column: str, scans: Sequence[tuple[MetadataPairQuerySet, str]], limit: int
    ) -> list[Suggestions]:
        texts = iter_distinct_texts(scans, column, limit=limit + 1, using=self.db)
        return [_take_prefixed(prefix, each, limit) for (_, prefix), each in zip(scans, texts, strict=True)]


def _take_prefixed(prefix: str, texts: Iterator[str], limit: int) -> Suggestions:
    """Take texts until one lacks the prefix, and no further: on MariaDB and MySQL each text is a statement."""
    prefixed = list(takewhile(lambda text: text.startswith(prefix), texts))
    return Suggestions(prefixed[:limit], has_more=len(prefixed) > limit)


class MetadataPair(models.Model):
    """A key and a value of one conversation's metadata. The conversation's JSON is the truth; this is its index.

    A table, because a JSON index finds rare values slowly on PostgreSQL (8 s for a value that only the oldest 5 % of
    10 million conversations have, against 0.2 ms here), and the other databases have none. For one owner and for all
    owners there are two indexes that cover the table: one has the conversations of each (key, value), the other the
    conversations of each key with the value beside them, both in the order of conversation ids.
    """

    pk = models.CompositePrimaryKey("conversation_id", "key")
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="metadata_pairs", db_index=False
    )
    # Copy of the conversation's owner, who never changes. The conversation's own foreign key guards the reference.
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
