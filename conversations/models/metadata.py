from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import models

from conversations.models.fields import BytewiseCharField
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

if TYPE_CHECKING:
    from conversations.models.conversation import Conversation


class MetadataPairQuerySet(models.QuerySet["MetadataPair"]):
    def replace(self, conversation: Conversation, metadata: Mapping[str, str]) -> None:
        """To be called in the transaction that writes the same metadata to the conversation."""
        self.filter(conversation=conversation).delete()
        self.add(conversation, metadata)

    def add(self, conversation: Conversation, metadata: Mapping[str, str]) -> None:
        self.bulk_create(MetadataPair(conversation=conversation, key=key, value=metadata[key]) for key in metadata)


class MetadataPair(models.Model):
    """One pair of a conversation's metadata, as an index: the conversation's JSON is the truth.

    A table rather than a JSON index, because it finds a rare value among millions of rows on every database alike.
    """

    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="metadata_pairs", db_index=False
    )
    key = BytewiseCharField(max_length=MAX_KEY_LENGTH)
    value = BytewiseCharField(max_length=MAX_VALUE_LENGTH)

    objects = MetadataPairQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "key"], name="conversations_metadata_unique_key"),
        ]
        indexes = [
            models.Index(fields=["key", "value", "conversation"], name="conversations_metadata_lookup"),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"
