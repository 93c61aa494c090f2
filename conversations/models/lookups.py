"""A tree of conditions -> Q. Keys and values are always parameters, never part of a lookup's name."""

from __future__ import annotations

import sys
from functools import reduce
from operator import and_, or_

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import StrIndex

from conversations import ids
from conversations.models.metadata import MetadataPair
from conversations.schema.query import All, Any, CreatedCondition, MetadataCondition, Not, Query


def lookup(query: Query) -> Q:
    match query:
        case All(of):
            return reduce(and_, map(lookup, of), Q())
        case Any(of):
            return reduce(or_, map(lookup, of))
        case Not(of):
            return ~lookup(of)
        case CreatedCondition():
            return _created(query)
        case MetadataCondition():
            return Q(Exists(_pairs(query)))


def _created(condition: CreatedCondition) -> Q:
    """By the id, whose text begins with the second of creation: the one index serves the order and the window."""
    after = condition.operator in ("gt", "lte")
    first = ids.first_id(ids.CONVERSATION_PREFIX, seconds=condition.seconds + after)
    return Q(pk__gte=first) if condition.operator in ("gt", "gte") else Q(pk__lt=first)


def _pairs(condition: MetadataCondition) -> QuerySet[MetadataPair]:
    # The owner says nothing new, but lets a search among one owner's conversations use an index of its own.
    pairs = MetadataPair.objects.filter(conversation=OuterRef("pk"), owner=OuterRef("owner"), key=condition.key)
    match condition.operator, condition.values:
        case "eq", (value,):
            return pairs.filter(value=value)
        case "ne", (value,):
            return pairs.exclude(value=value)
        case "in", values:
            return pairs.filter(value__in=values)
        case "nin", values:
            return pairs.exclude(value__in=values)
        case "prefix", (prefix,):
            return pairs.filter(_starts_with(prefix))
        case "contains", (part,):
            # Not `__contains`: SQLite's LIKE does not tell upper case from lower.
            return pairs.annotate(found_at=StrIndex(F("value"), Value(part))).filter(found_at__gt=0)
        case "exists", ():
            return pairs
    raise ValueError(condition)


def _starts_with(prefix: str) -> Q:
    """As a range, which an index serves on every database: values compare by their bytes, that is by code point."""
    end = prefix.rstrip(chr(sys.maxunicode))
    if not end:
        return Q(value__gte=prefix)
    return Q(value__gte=prefix, value__lt=end[:-1] + _next_character(end[-1]))


def _next_character(character: str) -> str:
    return "\ue000" if character == "\ud7ff" else chr(ord(character) + 1)
