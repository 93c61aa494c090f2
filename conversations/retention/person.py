"""The person whom an erasure is about: their conversations, and the texts that name them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet

from conversations.models import ConversationQuerySet, DeletedConversation
from conversations.schema.query.nodes import EVERYTHING, MetadataCondition, Query

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True)
class Person:
    """The conversations of one person: of an owner, of an end user, with a metadata value, or all that are given."""

    owner: AbstractBaseUser | None = None
    end_user: str | None = None
    metadata: tuple[str, str] | None = None  # key and value

    def __post_init__(self) -> None:
        if self.owner is None and self.end_user is None and self.metadata is None:
            raise ValueError("Name an owner, an end user or a metadata value. Otherwise everything would be erased.")

    @property
    def criteria(self) -> list[str]:
        """How the person was chosen, without naming them."""
        chosen = {"owner": self.owner, "end user": self.end_user, "metadata value": self.metadata}
        return [name for name, value in chosen.items() if value is not None]

    @property
    def query(self) -> Query:
        return EVERYTHING if self.metadata is None else MetadataCondition(self.metadata[0], "eq", (self.metadata[1],))

    def filter_owned(self, conversations: ConversationQuerySet) -> ConversationQuerySet:
        """Apply the filters that are no part of the query."""
        if self.owner is not None:
            conversations = conversations.filter(owner=self.owner.pk)
        return conversations if self.end_user is None else conversations.filter(end_user=self.end_user)

    def filter_copies(self, copies: QuerySet[DeletedConversation]) -> QuerySet[DeletedConversation]:
        """Do the same with copies in the trash, whose owner may have been deleted."""
        if self.owner is not None:
            copies = copies.filter(Q(owner=self.owner.pk) | Q(owner=None, owner_username=self.owner.get_username()))
        return copies if self.end_user is None else copies.filter(end_user=self.end_user)

    def has_metadata(self, metadata: Any) -> bool:
        return self.metadata is None or metadata.get(self.metadata[0]) == self.metadata[1]

    def is_named_in(self, text: str) -> bool:
        """Whether the text of a search contains a name of the person as a word, in any case."""
        return any(pattern.search(text) for pattern in self._patterns)

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        names = [self.owner.get_username() if self.owner else None, self.end_user, self.metadata and self.metadata[1]]
        texts = {
            written
            for name in names
            if name
            for written in (name, name.replace('"', '""'), json.dumps(name, ensure_ascii=False)[1:-1])
        }
        return [re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE) for text in texts]
