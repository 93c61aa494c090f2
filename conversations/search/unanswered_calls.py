"""Conversations with a call that has no output, as `ItemQuerySet.unanswered_calls` finds it."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, Sum, Value, When

from conversations.db.hints import IndexCondition
from conversations.schema.call_balance import CALL_TYPES

SHELL_CALL, SHELL_OUTPUT = "local_shell_call", "local_shell_call_output"
PAIRED = "call_balance <> 0"


def has_unanswered_call(items: Any) -> Q:
    """Match conversations with more calls than outputs of one type and call id.

    The index knows the conversations in which calls and outputs do not pair. Only their items are compared.
    """
    items = items.filter(conversation=OuterRef("pk")).order_by()
    outputs = {output: call for output, call in CALL_TYPES.items() if output != SHELL_OUTPUT}
    calls = set(outputs.values())
    # OpenAI itself answers a tool search without an id. An output without an id answers no call.
    paired = items.filter(Q(type__in=calls) | Q(type__in=outputs, call_id__gt=""))
    paired = paired.exclude(type="tool_search_call", call_id="")
    call_type = Case(
        *(When(type=output, then=Value(call)) for output, call in outputs.items()),
        default=F("type"),
        output_field=CharField(),
    )
    sign = Case(When(type__in=calls, then=1), default=-1)
    groups = paired.annotate(call_type=call_type).values("call_type", "call_id")
    unanswered = groups.annotate(surplus=Sum(sign)).filter(surplus__gt=0)
    # The id of a local shell output may name no call. Then it answers the call directly before it.
    of_call = Q(call_id=OuterRef("call_id")) | Q(position=OuterRef("position") + 1)
    shell_outputs = items.model.objects.filter(of_call, conversation=OuterRef("conversation"), type=SHELL_OUTPUT)
    shell_calls = items.filter(~Exists(shell_outputs.order_by()), type=SHELL_CALL)
    is_unpaired = IndexCondition(PAIRED, (), sqlite=PAIRED)
    return Q(is_unpaired) & ~Q(call_balance=0) & (Q(Exists(unanswered)) | Q(Exists(shell_calls)))
