"""What a word in the search box may be beside a word of a message: a metadata value, an id or an owner.

People paste an order number, the id of an item or of a call, the beginning of an id, or an e-mail address, without the
key or the condition that would lead to it. The look-ups use the indexes that other searches need, so that creating
conversations costs nothing more for them; items with a call id have an index more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from conversations import ids
from conversations.admin.content.item_ids import conversations_of_call, conversations_of_items
from conversations.db.prepared_cursor import fetch_union
from conversations.models import Item, MetadataPairQuerySet
from conversations.schema.metadata import MAX_VALUE_LENGTH
from conversations.schema.query.nodes import (
    And,
    IdCondition,
    IdPrefixCondition,
    MetadataCondition,
    Not,
    Or,
    OwnerCondition,
    Query,
    TextCondition,
)

MAX_KEYS = 100  # metadata keys in which a value is looked up
MAX_ITEMS = 100  # items whose ids begin with a word
MAX_OWNERS = 10  # users whose names or e-mail addresses are a word

_ID_PREFIX = re.compile(r"[a-z]+_[0-9A-Za-z_-]{4,}")
_FINAL_PUNCTUATION = "?!.,;:"


@dataclass
class WordLookup:
    """Adds to each phrase of a query what else it may be. `pairs` are those that the user may see.

    If `may_search_messages` returns False, because full-text search is off or the user may not read messages, phrases
    are only looked up otherwise. It is called if the query has a phrase.
    """

    pairs: MetadataPairQuerySet
    may_search_messages: Callable[[], bool]
    has_phrases: bool = field(default=False, init=False)  # in what was expanded
    is_cut: bool = field(default=False, init=False)  # by a limit, so that there may be more matches

    @cached_property
    def searches_messages(self) -> bool:
        return self.may_search_messages()

    @property
    def cut_note(self) -> str:
        """What words are not compared with because of a limit, after `expand`, or ""."""
        if not self.is_cut:
            return ""
        note = gettext(
            "Of metadata keys, items and owners, only the first %(keys)s, %(items)s and %(owners)s are compared with a "
            "word. Name the key or the owner to find others, e.g. order_id:A-77812."
        )
        return note % {"keys": MAX_KEYS, "items": MAX_ITEMS, "owners": MAX_OWNERS}

    def expand(self, query: Query) -> Query:
        expanded = self._expand(query)
        if isinstance(query, And) and all(isinstance(part, TextCondition) for part in query.parts) and query.parts:
            # Words without any condition may be one value, such as a telephone number with spaces.
            whole = " ".join(part.phrase for part in query.parts if isinstance(part, TextCondition))
            if others := list(self._other_conditions(whole)):
                return Or((expanded, *others))
        return expanded

    def _expand(self, query: Query) -> Query:
        match query:
            case And(parts) if parts:
                return And(tuple(map(self._expand, parts)))
            case Or(parts):
                return Or(tuple(map(self._expand, parts)))
            case Not(part):
                return Not(self._expand(part))
            case TextCondition(phrase):
                self.has_phrases = True
                alternatives = (*([query] if self.searches_messages else []), *self._other_conditions(phrase))
                return alternatives[0] if len(alternatives) == 1 else Or(alternatives or (IdCondition(()),))
        return query

    def _other_conditions(self, phrase: str) -> Iterator[Query]:
        texts = dict.fromkeys([phrase, phrase.rstrip(_FINAL_PUNCTUATION)])
        for text in filter(None, texts):
            yield from self._values(text)
            yield from self._owners(text)
        yield from self._ids(phrase)
        yield from self._conversations(conversations_of_call(phrase))

    def _values(self, text: str) -> Iterator[MetadataCondition]:
        if len(text) > MAX_VALUE_LENGTH:
            return
        using = self.pairs.db
        rows = (self.pairs.filter(key=key, value=text).values_list("key")[:1] for key in self._keys)
        statements = (each.query.get_compiler(using).as_sql() for each in rows)
        for key, _number in sorted(fetch_union(statements, using=using)):
            yield MetadataCondition(key, "eq", (text,))

    @cached_property
    def _keys(self) -> list[str]:
        keys = self.pairs.suggestions("key", prefix="", limit=MAX_KEYS)
        self.is_cut |= keys.has_more
        return keys.texts

    def _owners(self, text: str) -> Iterator[OwnerCondition]:
        User: Any = get_user_model()
        email_field = User.get_email_field_name()
        has_email = any(field.name == email_field for field in User._meta.get_fields())
        named = Q(**{User.USERNAME_FIELD: text})
        by_email = Q(**{email_field: text}) if has_email and "@" in text else Q()
        users = User._default_manager.filter(named | by_email if by_email else named).order_by("pk")
        for user in self._cut(users, MAX_OWNERS):
            yield OwnerCondition(user.get_username())

    def _ids(self, text: str) -> Iterator[Query]:
        if not _ID_PREFIX.fullmatch(text) or not ids.is_well_formed(text):
            return
        if text.startswith(ids.CONVERSATION_PREFIX):
            yield IdPrefixCondition(text)
            return
        yield from self._conversations(conversations_of_items(text))

    def _conversations(self, found_ids: QuerySet[Item, str]) -> Iterator[IdCondition]:
        rows = self._cut(found_ids.using(self.pairs.db), MAX_ITEMS)
        if conversation_ids := tuple(sorted(set(rows))):
            yield IdCondition(conversation_ids)

    def _cut(self, rows: QuerySet[Any, Any], maximum: int) -> list[Any]:
        first = list(rows[: maximum + 1])
        self.is_cut |= len(first) > maximum
        return first[:maximum]
