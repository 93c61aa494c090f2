"""Takes deleted conversations out of the tables and keeps what they were for CONVERSATIONS_RESTORE_DAYS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from django.db import router, transaction
from django.utils.translation import gettext

from conversations.conf import app_settings
from conversations.db.batching import AdaptiveBatch
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.models import Conversation, DeletedConversation, DeletedPart, Item, ItemText
from conversations.models.deleted_conversation import MAX_USERNAME_LENGTH
from conversations.transfer.exporter import Export
from conversations.transfer.gzip_stream import compress, open_gzip_chunks
from conversations.transfer.importer import import_conversations

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

PART_BYTES = 1024 * 1024
BATCH = 20  # conversations that are purged at once, of most of which there is one part
PARTS = 40  # deleted in one transaction at most


class RestoreError(Exception):
    """Says why. Everything is as it was before."""


@track_owner_writes
@retry_on_conflict
def move_to_trash(
    conversation: Conversation, *, deleted_by: AbstractBaseUser | AnonymousUser | None = None
) -> DeletedConversation | None:
    """Delete the conversation so that it can be restored, or for good where CONVERSATIONS_RESTORE_DAYS is 0.

    Rows of the host's own that point to it or to its items are deleted with it, and are not restored.
    """
    if not app_settings.restore_days:
        conversation.delete_with_items()
        return None
    with transaction.atomic():
        conversation.lock()  # so that no append comes in between
        conversation.refresh_from_db()
        deleted = DeletedConversation.objects.create(
            conversation_id=conversation.pk,
            owner_id=conversation.owner_id,
            created_at=conversation.created_at,
            metadata=conversation.metadata,
            item_count=conversation.item_count,
            deleted_by_id=deleted_by.pk if deleted_by else None,
            deleted_by_username=deleted_by.get_username()[:MAX_USERNAME_LENGTH] if deleted_by else "",
        )
        export = Export(Conversation.objects.filter(pk=conversation.pk))
        for number, content in enumerate(_parts(export), start=1):
            DeletedPart.objects.create(deleted_conversation=deleted, number=number, content=content)
        _total, counts = conversation.delete()
        if counts.get(Item._meta.label, 0) != export.item_count:
            raise RuntimeError(f"{deleted}: the items that were kept are not those that were deleted")
    return deleted


@track_owner_writes
@retry_on_conflict
def restore(deleted: DeletedConversation) -> None:
    """Bring the conversation back as it was, metadata index and text index included, or raise `RestoreError`."""
    with transaction.atomic():
        if not DeletedConversation.objects.filter(pk=deleted.pk).lock():
            raise RestoreError(gettext("“%(id)s” is not among the deleted conversations any more.") % _named(deleted))
        outcome = next(import_conversations(open_gzip_chunks(deleted.content()), owner=deleted.owner), None)
        if outcome is None or outcome.kind == "bad":
            reason = outcome.reason if outcome else ""
            told = gettext("“%(id)s” can't be restored, and stays where it is: %(reason)s")
            raise RestoreError(told % {**_named(deleted), "reason": reason})
        if outcome.kind != "added":
            raise RestoreError(gettext("There is a conversation “%(id)s” again. Delete it first.") % _named(deleted))
        deleted.delete()


def purge() -> Iterator[int]:
    """Delete for good what is overdue, and tell after each batch how many these were.

    Each transaction is short (see `AdaptiveBatch`), so that of a long conversation some parts go first: from then on it
    can't be restored. Afterwards it is in no table, nor in an index that is one.
    """
    overdue = DeletedConversation.objects.using(router.db_for_write(DeletedConversation)).overdue()
    batch = AdaptiveBatch(using=overdue.db, max_rows=PARTS)
    while keys := list(overdue.order_by("deleted_at").values_list("pk", flat=True)[:BATCH]):
        deleted = DeletedConversation.objects.using(overdue.db).filter(pk__in=keys)
        parts = DeletedPart.objects.using(overdue.db).filter(deleted_conversation__in=keys).order_by("pk")
        while len(first := list(parts.values_list("pk", flat=True)[: batch.rows])) == batch.rows:
            with batch.transaction():
                deleted.lock()  # none is restored meanwhile
                parts.filter(pk__in=first).delete()
        with batch.transaction():
            count = deleted.delete_with_parts()
        yield count
    ItemText.objects.using(overdue.db).purge_deleted_words()


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    pending = bytearray()
    for compressed in compress(chunks):
        pending += compressed
        while len(pending) >= PART_BYTES:
            yield bytes(pending[:PART_BYTES])
            del pending[:PART_BYTES]
    if pending:
        yield bytes(pending)


def _named(deleted: DeletedConversation) -> dict[str, str]:
    return {"id": str(deleted.conversation_id)}
