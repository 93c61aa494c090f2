"""Turns: each takes the lease of its conversation, and ends it in the transaction that stores the items.

No transaction is open while the model runs. Every verb locks the conversation first, as appends and deletions do.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from conversations.conf import app_settings
from conversations.db.retry import retry_on_conflict
from conversations.errors import APIError
from conversations.idempotency import find_answer, key_reuse
from conversations.models import Conversation, Item, PendingRecord, RequestRecord
from conversations.responses.conf import upstream_settings
from conversations.responses.errors import conversation_locked, unstorable_output
from conversations.responses.models import LEASE_LIFETIME, Lease, StoredResponse, Turn, TurnStatus
from conversations.responses.parameters import clean_output

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


MEMBERS_WITHOUT_TEXT = {
    "completed_at",
    "created_at",
    "id",
    "incomplete_details",
    "error",
    "max_output_tokens",
    "model",
    "object",
    "parallel_tool_calls",
    "status",
    "store",
    "temperature",
    "tool_choice",
    "top_p",
    "usage",
}


class TurnInProgress(Exception):
    """Raised for a repetition of a request that is still being executed."""


@dataclass
class PendingTurn:
    """A turn whose model is running. `record` lets a repetition of the request find its answer."""

    conversation: Conversation
    user: AbstractBaseUser | AnonymousUser
    record: PendingRecord | None
    items: list[dict[str, Any]]
    token: str
    started_at: datetime

    @property
    def using(self) -> str:
        return self.conversation.write_alias

    @property
    def request_key(self) -> str:
        return self.record.key if self.record else ""


@retry_on_conflict
def begin_turn(turn: PendingTurn) -> StoredResponse | None:
    """Take the lease of the conversation for a turn, or return the stored response if the request is a repetition.

    Raise `TurnInProgress` if the request repeats one that is being executed, and an `APIError` if another turn has the
    lease or the conversation does not exist.
    """
    using = turn.using
    with transaction.atomic(using=using):
        turn.conversation.lock()
        lease = Lease.objects.using(using).filter(conversation=turn.conversation.pk).first()
        if lease and not lease.is_expired:
            raise TurnInProgress if _is_repetition(turn.record, lease) else conversation_locked()
        if turn.record and (answered := find_answer(turn.record, using=using)):
            return StoredResponse.objects.using(using).for_record(answered)
        Lease.objects.using(using).update_or_create(
            conversation_id=turn.conversation.pk,
            defaults={
                "token": turn.token,
                "request_key": turn.request_key,
                "expires_at": timezone.now() + LEASE_LIFETIME,
            },
        )
    return None


def _is_repetition(record: PendingRecord | None, lease: Lease) -> bool:
    """Whether the request that has the lease is the same. Without an Idempotency-Key, only a retry can be."""
    return bool(record and record.key == lease.request_key and (record.has_key or record.retry_count))


@retry_on_conflict
def finish_turn(turn: PendingTurn, response: dict[str, Any]) -> Turn:
    """Store the items of the input and of the response's output, and end the lease.

    Calling it again after a lost connection stores nothing twice. Raise an `APIError` if the lease was lost, the
    conversation was deleted, or the items can't be stored.
    """
    using = turn.using
    try:
        with transaction.atomic(using=using):
            turn.conversation.lock()
            if stored := Turn.objects.using(using).filter(token=turn.token).first():
                return stored
            if not Lease.objects.using(using).filter(token=turn.token).delete()[0]:
                raise conversation_locked()
            return _store(turn, response)
    except IntegrityError as error:
        # Another conversation's turn has used the same Idempotency-Key meanwhile.
        if turn.record and turn.record.has_key:
            raise key_reuse() from error
        raise


def _store(turn: PendingTurn, response: dict[str, Any]) -> Turn:
    if turn.record:
        turn.record.created_at = timezone.now()  # Retries are recognized from the answer on.
    output = _clean_output(turn, response["output"])
    items = [*turn.items, *output]
    if items or turn.record:
        turn.conversation.add_items(items, user=turn.user, validate=False, record=turn.record)
    position = Conversation.objects.using(turn.using).values_list("last_position", flat=True).get(pk=turn.conversation)
    usage = _usage(response)
    stored = Turn.objects.using(turn.using).create(
        **_common_values(turn),
        status=TurnStatus(response["status"]),
        model=_short(response.get("model"), 200),
        input_tokens=_count(usage.get("input_tokens")),
        output_tokens=_count(usage.get("output_tokens")),
        last_position=position,
        output_count=len(output),
        # OpenAI stores nothing for an organization without data retention, whatever the request says.
        has_upstream_ids=upstream_settings.is_openai and response.get("store") is not False,
    )
    if turn.record:
        _store_response(stored, response, record=turn.record, using=turn.using)
    return stored


def _store_response(turn: Turn, response: dict[str, Any], *, record: PendingRecord, using: str) -> None:
    records = RequestRecord.objects.using(using).filter(key=record.key, number=record.number)
    # Some servers send the input back. The deletion of any item that the model got deletes the record.
    records.update(item_count=F("last_position"))
    data = {name: value for name, value in response.items() if name != "output"}
    if app_settings.redactors:  # They only know items, and the other members may have a client's text.
        data = {name: value for name, value in data.items() if name in MEMBERS_WITHOUT_TEXT}
        data.update(instructions=None, metadata={}, tools=[])
    StoredResponse.objects.using(using).create(turn=turn, record=records.get(), data=data)


def _clean_output(turn: PendingTurn, output: Any) -> list[dict[str, Any]]:
    """Return the output as items to store, with new ids in place of ids that other items have.

    The writer would take an item with such an id for a copy of the stored one.
    """
    sent = output if isinstance(output, list) else []
    sent_ids = [item["id"] for item in sent if isinstance(item, dict) and isinstance(item.get("id"), str)]
    taken = set(Item.objects.using(turn.using).filter(item_id__in=sent_ids).values_list("item_id", flat=True))
    taken |= {item["id"] for item in turn.items if item.get("id")}
    taken |= {item_id for item_id in sent_ids if sent_ids.count(item_id) > 1}
    try:
        return clean_output(output, taken_ids=taken)
    except APIError as error:
        raise unstorable_output(error) from None


def fail_turn(turn: PendingTurn, *, code: str = "server_error") -> None:
    """End the lease and store that the turn failed, without items."""
    using = turn.using
    with transaction.atomic(using=using):
        if not Conversation.objects.using(using).filter(pk=turn.conversation.pk).exists():
            return
        turn.conversation.lock()
        if not Lease.objects.using(using).filter(token=turn.token).delete()[0]:
            return
        Turn.objects.using(using).create(**_common_values(turn), status=TurnStatus.FAILED, error_code=_short(code, 64))


def renew_lease(turn: PendingTurn) -> bool:
    return Lease.objects.using(turn.using).renew(turn.token)


def new_token() -> str:
    return secrets.token_hex(16)


def _common_values(turn: PendingTurn) -> dict[str, Any]:
    return {
        "conversation_id": turn.conversation.pk,
        "token": turn.token,
        "started_at": turn.started_at,
        "finished_at": timezone.now(),
    }


def _usage(response: dict[str, Any]) -> dict[str, Any]:
    usage = response.get("usage")
    return usage if isinstance(usage, dict) else {}


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
    return value if is_count else None


def _short(value: Any, length: int) -> str:
    return str(value).replace("\0", "")[:length] if isinstance(value, str) else ""
