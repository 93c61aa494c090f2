from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.db import models
from django.db.models import Min

from conversations.models.fields import BytewiseCharField
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from conversations.models.conversation import Conversation


@dataclass(frozen=True)
class Suggestions:
    texts: list[str]
    has_more: bool


class MetadataPairQuerySet(models.QuerySet["MetadataPair"]):
    def replace(self, conversation: Conversation, metadata: Mapping[str, str]) -> None:
        """To be called in the transaction that writes the same metadata to the conversation."""
        self.filter(conversation=conversation).delete()
        self.add(conversation, metadata)

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> MetadataPairQuerySet:
        return self.filter(owner=user.pk)

    def suggestions(self, column: Literal["key", "value"], *, prefix: str, limit: int) -> Suggestions:
        """The first `limit` distinct keys or values that begin so, sorted by their bytes.

        Each is one step down an index, however many pairs have it: no database but this loop is sure to do so.
        """
        found: list[str] = []
        rest = self.filter(**{f"{column}__gte": prefix})
        while len(found) <= limit:
            first = rest.aggregate(first=Min(column))["first"]
            if first is None or not first.startswith(prefix):
                break
            found.append(first)
            rest = self.filter(**{f"{column}__gt": first})
        return Suggestions(found[:limit], has_more=len(found) > limit)

    def add(self, conversation: Conversation, metadata: Mapping[str, str]) -> None:
        self.bulk_create(
            MetadataPair(conversation=conversation, owner_id=conversation.owner_id, key=key, value=value)
            for key, value in metadata.items()
        )


class MetadataPair(models.Model):
    """One pair of a conversation's metadata, as an index: the conversation's JSON is the truth.

    A table rather than a JSON index, because it finds a rare value among millions of rows on every database alike.
    Each index ends with the conversation, so that a page is read in the order of creation and no further.
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
            models.Index(fields=["key", "conversation"], name="conversations_pair_key"),
            models.Index(fields=["owner", "key", "value", "conversation"], name="conversations_pair_owner_value"),
            models.Index(fields=["owner", "key", "conversation"], name="conversations_pair_owner_key"),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"
