"""The metadata index: a narrow table with one row for each key-value pair of each conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings
from django.db import models

from conversations.conf import app_settings
from conversations.db.distinct_texts import iter_distinct_texts
from conversations.db.fields import BytewiseCharField
from conversations.db.retry import retry_on_conflict
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


@dataclass(frozen=True)
class Suggestions:
    """Distinct keys or values with a prefix, in byte order, and whether there are more of them."""

    texts: list[str]
    has_more: bool


class MetadataPairQuerySet(models.QuerySet["MetadataPair"]):
    def replace(self, metadata: Mapping[str, str], *, conversation_id: str, owner_id: Any) -> None:
        """Replace a conversation's pairs. Call this in the transaction that writes its metadata."""
        self.filter(conversation=conversation_id).delete()
        self.bulk_create(build_metadata_pairs(metadata, conversation_id=conversation_id, owner_id=owner_id))

    def visible_to(
        self, user: AbstractBaseUser | AnonymousUser, *, end_user: str | None = None
    ) -> MetadataPairQuerySet:
        """Return the pairs of the conversations that the queryset method of this name returns."""
        if not app_settings.visible_to and end_user is None:
            return self.filter(owner=user.pk)
        conversations: Any = self.model._meta.get_field("conversation").related_model
        visible = conversations.objects.using(self.db).visible_to(user, end_user=end_user)
        return self.of_conversations(visible)

    def of_conversations(self, conversations: models.QuerySet[Any]) -> MetadataPairQuerySet:
        return self.filter(conversation__in=conversations.order_by().values("pk"))

    @retry_on_conflict
    def suggestions(self, column: Literal["key", "value"], *, prefix: str, limit: int) -> Suggestions:
        """Return up to `limit` keys or values with this prefix."""
        [suggestions] = self._suggest(column, [(self, prefix)], limit)
        return suggestions

    @retry_on_conflict
    def suggested_values(self, prefixes: Iterable[tuple[str, str]], *, limit: int) -> list[Suggestions]:
        """Return up to `limit` values for each (key, prefix), in one round trip except on MariaDB and MySQL."""
        return self._suggest("value", [(self.filter(key=key), prefix) for key, prefix in prefixes], limit)

    def _suggest(self, column: str, scans: Sequence[tuple[MetadataPairQuerySet, str]], limit: int) -> list[Suggestions]:
        """Return the suggestions for each scan: a queryset of pairs, and the prefix of the texts in its column."""
        texts = iter_distinct_texts(scans, column, limit=limit + 1, using=self.db)
        return [_take_prefixed(prefix, each, limit) for (_, prefix), each in zip(scans, texts, strict=True)]


def _take_prefixed(prefix: str, texts: Iterator[str], limit: int) -> Suggestions:
    """Return the texts before the first one without the prefix.

    `texts` begins with the first text that is not less than the prefix. It is not read further than necessary, because
    on MariaDB and MySQL it executes a statement for each text.
    """
    prefixed = list(takewhile(lambda text: text.startswith(prefix), texts))
    return Suggestions(prefixed[:limit], has_more=len(prefixed) > limit)


class MetadataPair(models.Model):
    """A key and a value of one conversation's metadata. The JSON in `Conversation.metadata` is authoritative.

    The index is a table because PostgreSQL's index of a JSON column is slow for rare values (8 s for a value that only
    the oldest 5 % of 10 million conversations have; this table takes 0.2 ms), and other databases have no such index.

    The table has two covering indexes for searches among all conversations, and the same two with the owner in front.
    In the one by key and value, the conversations with that value are in the order of their ids. In the one by key, all
    conversations with that key are in the order of their ids, with the value as the last column.
    """

    pk = models.CompositePrimaryKey("conversation_id", "key")
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="metadata_pairs", db_index=False
    )
    # A copy of the conversation's owner, who never changes. It needs no constraint, because the conversation has one.
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
