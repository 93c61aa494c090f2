"""Copy conversations from another server, through the importer. Copying one again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple

from django.db import router
from django.utils import timezone

from conversations import ids
from conversations.db.retry import retry_on_conflict
from conversations.errors import APIError
from conversations.models import Conversation
from conversations.transfer.importer import Outcome, import_lines
from conversations.transfer.line_reader import Line, read_lines
from conversations.transfer.remote_server import RemoteError, RemoteOutage, RemoteRefusal, RemoteServer
from conversations.transfer.remote_values import ItemAdapter, adapt_metadata, id_time

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

IDS_PER_QUERY = 100
SPOOL_BYTES = 8 * 1024 * 1024  # A longer conversation is written to a temporary file before it is stored.
MAX_OUTAGES = 3  # conversations in a row


class Copy(NamedTuple):
    """The result of copying one conversation. `losses` describe the parts of it that could not be stored."""

    kind: Literal["added", "present", "failed"]
    conversation_id: str
    items: int = 0
    reason: str = ""
    losses: tuple[str, ...] = ()


def copy_conversations(
    server: RemoteServer, conversation_ids: Iterable[str], *, owner: AbstractBaseUser, using: str | None = None
) -> Iterator[Copy]:
    """Store each conversation completely or not at all, as one of `owner`, and yield the result.

    A conversation that exists is not requested, and one that can't be read does not stop the others. Raise
    `RemoteRefusal` if the server accepts no further request, and `RemoteOutage` if it failed for `MAX_OUTAGES`
    conversations in a row.
    """
    using = using or router.db_for_write(Conversation)
    conversation_ids = iter(conversation_ids)
    outages = 0
    while batch := list(islice(conversation_ids, IDS_PER_QUERY)):
        well_formed = [conversation_id for conversation_id in batch if ids.is_well_formed(conversation_id)]
        rows = Conversation.objects.using(using).filter(pk__in=well_formed)
        owners = dict(rows.values_list("pk", "owner_id"))
        for conversation_id in batch:
            if conversation_id in owners:
                yield _compare_owner(conversation_id, owners[conversation_id], owner)
                continue
            try:
                ids.check_id(conversation_id, prefix=ids.CONVERSATION_PREFIX, path="id")
                copy = _copy(server, conversation_id, owner, using)
            except RemoteRefusal:
                raise
            except (APIError, RemoteError) as error:
                outages = outages + 1 if isinstance(error, RemoteOutage) else 0
                yield Copy("failed", conversation_id, reason=str(error))
                if outages == MAX_OUTAGES:
                    raise
            else:
                outages = 0
                owners[conversation_id] = owner.pk
                yield copy


def _compare_owner(conversation_id: str, owner_id: Any, owner: AbstractBaseUser) -> Copy:
    if owner_id == owner.pk:
        return Copy("present", conversation_id)
    return Copy("failed", conversation_id, reason="it exists and belongs to another user")


def _copy(server: RemoteServer, conversation_id: str, owner: AbstractBaseUser, using: str) -> Copy:
    """Read the whole conversation before storing it, so that no transaction waits for the other server."""
    losses: list[str] = []
    remote = server.conversation(conversation_id)
    created_at = _creation_time(remote.get("created_at"), conversation_id, losses)
    metadata = adapt_metadata(remote.get("metadata"), report=losses.append)
    items = ItemAdapter(conversation_id, created_at=created_at, report=losses.append)
    with SpooledTemporaryFile(max_size=SPOOL_BYTES) as lines:
        for item in server.items(conversation_id):
            if line := items.adapt(item):
                lines.write(json.dumps(line).encode() + b"\n")
        conversation = {
            "object": "conversation",
            "id": conversation_id,
            "owner": owner.get_username(),
            "created_at": created_at.isoformat(),
            "metadata": metadata,
            "item_count": items.count,
            "last_position": items.count,
            "last_item_at": items.last_at.isoformat() if items.last_at else None,
        }
        outcome = _store(conversation, lines, owner, using)
    if outcome.kind in ("bad", "conflict"):
        raise RemoteError(outcome.reason)
    return Copy("present" if outcome.kind == "present" else "added", conversation_id, outcome.items, "", tuple(losses))


@retry_on_conflict
def _store(conversation: dict[str, Any], lines: IO[bytes], owner: AbstractBaseUser, using: str) -> Outcome:
    lines.seek(0)
    first, *_ = import_lines(chain([Line(1, 0, conversation)], read_lines(lines)), owner=owner, using=using)
    return first


def _creation_time(value: Any, conversation_id: str, losses: list[str]) -> datetime:
    """Return the creation time. Report if it is not the time that the id sorts by, because queries compare ids."""
    try:
        time = datetime.fromtimestamp(value, tz=UTC)
    except (OSError, OverflowError, TypeError, ValueError):
        time = id_time(conversation_id) or timezone.now().replace(microsecond=0)
        losses.append(f"created_at: {value!r} is not a time. {time.isoformat()} is stored instead")
    seconds = int(time.timestamp())
    first, end = (ids.lower_bound(ids.CONVERSATION_PREFIX, seconds=second) for second in (seconds, seconds + 1))
    if not first <= conversation_id < end:
        losses.append(f"created_at: the id does not contain {time.isoformat()}, and queries for that time compare ids")
    return time
