"""Raise the counters of a conversation in the database, and read the results into its instance.

The ORM takes longer to compile these two statements than to do all the rest of an append.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Greatest

from conversations import errors
from conversations.db.compiled import CompiledQuery, CompiledUpdate, Parameter

COUNTERS = ("item_count", "last_position", "last_item_at", "call_balance")


def count_items(conversation: Any, count: int, *, now: datetime, using: str) -> None:
    """Count new items, and so lock the row. Raise `APIError` if the conversation does not exist."""
    _execute(_COUNT_ITEMS, conversation, using=using, count=count, now=now)


def add_call_balance(conversation: Any, balance: int, *, using: str) -> None:
    """Add what new items contribute to the `call_balance`."""
    _execute(_ADD_CALL_BALANCE, conversation, using=using, balance=balance)


def _execute(update: CompiledUpdate, conversation: Any, *, using: str, **values: Any) -> None:
    model = type(conversation)
    if not update.execute(model, using=using, pk=conversation.pk, **values):
        raise errors.conversation_not_found(conversation.pk)
    [row] = _SELECT_COUNTERS.rows(model, using=using, pk=conversation.pk)
    for name, value in zip(COUNTERS, row, strict=True):
        setattr(conversation, name, value)


def _select_row(model: Any) -> QuerySet[Any]:
    return QuerySet(model).filter(pk=Parameter("pk", field=model._meta.pk))


def _build_item_count(model: Any) -> tuple[QuerySet[Any], dict[str, Any]]:
    count = Parameter("count", field=model._meta.get_field("item_count"))
    now = Parameter("now", field=model._meta.get_field("last_item_at"))
    return _select_row(model), {
        "item_count": F("item_count") + count,
        "last_position": F("last_position") + count,
        "last_item_at": Greatest(Coalesce("last_item_at", now), now),
    }


def _build_call_balance(model: Any) -> tuple[QuerySet[Any], dict[str, Any]]:
    balance = Parameter("balance", field=model._meta.get_field("call_balance"))
    return _select_row(model), {"call_balance": F("call_balance") + balance}


def _build_counters_query(model: Any) -> QuerySet[Any]:
    return _select_row(model).values_list(*COUNTERS)


_COUNT_ITEMS = CompiledUpdate(_build_item_count)
_ADD_CALL_BALANCE = CompiledUpdate(_build_call_balance)
_SELECT_COUNTERS: CompiledQuery[Any] = CompiledQuery(_build_counters_query)
