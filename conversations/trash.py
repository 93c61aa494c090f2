"""The trash: deleted conversations that can be restored for CONVERSATIONS_RESTORE_DAYS.

Moving a conversation to the trash stores its export as a compressed copy and deletes its rows from every table, in
one transaction. A flag on the rows would be simpler to write, but every query, index and count would have to exclude
them, and one that forgot would show deleted text. Restoring imports the copy again.
`deletion.purge_trash` deletes copies when their time is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import router, transaction
from django.utils.translation import gettext

from conversations.conf import app_settings
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.deletion import delete_conversation, delete_locked
from conversations.errors import APIError
from conversations.models import Conversation, DeletedConversation, DeletedPart
from conversations.models.deleted_conversation import MAX_USERNAME_LENGTH
from conversations.signals import conversation_restored
from conversations.transfer.exporter import Export
from conversations.transfer.gzip_stream import compress, open_gzip_chunks
from conversations.transfer.importer import import_conversations

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

PART_BYTES = 1024 * 1024


class RestoreError(APIError):
    """The reason, for the user, why a conversation was not restored. Nothing has changed."""


@track_owner_writes
@retry_on_conflict
def move_to_trash(
    conversation: Conversation, *, deleted_by: AbstractBaseUser | AnonymousUser | None = None
) -> DeletedConversation | None:
    """Delete the conversation and return its copy in the trash, or None if CONVERSATIONS_RESTORE_DAYS is 0.

    Rows of your project's models that refer to the conversation or its items are treated as their `on_delete` demands.
    They are not part of the copy. Raise an `APIError` if the conversation does not exist.
    """
    if not app_settings.restore_days:
        delete_conversation(conversation)
        return None
    using = conversation.write_alias
    with transaction.atomic(using=using):
        conversation.lock()
        conversation.refresh_from_db(using=using, from_queryset=Conversation.objects.select_related("owner"))
        copy = DeletedConversation.objects.using(using).create(
            conversation_id=conversation.pk,
            owner_id=conversation.owner_id,
            owner_username=conversation.owner.get_username()[:MAX_USERNAME_LENGTH],
            created_at=conversation.created_at,
            metadata=conversation.metadata,
            item_count=conversation.item_count,
            deleted_by_id=deleted_by.pk if deleted_by else None,
            deleted_by_username=deleted_by.get_username()[:MAX_USERNAME_LENGTH] if deleted_by else "",
        )
        export = Export(Conversation.objects.using(using).filter(pk=conversation.pk))
        for number, content in enumerate(_parts(export), start=1):
            DeletedPart.objects.using(using).create(deleted_conversation=copy, number=number, content=content)
        counts = delete_locked(conversation)
        if counts.items != export.item_count:
            raise RuntimeError(f"{copy}: copied {export.item_count} of {counts.items} deleted items.")
    return copy


@track_owner_writes
@retry_on_conflict
def restore(deleted: DeletedConversation, *, owner: AbstractBaseUser | None = None) -> None:
    """Restore the conversation with its items and indexes and delete its copy, or raise `RestoreError`.

    `owner` replaces the owner of the conversation, and is required if that user was deleted meanwhile.
    """
    name = {"id": str(deleted.conversation_id)}
    if owner is not None:
        deleted.owner_id = owner.pk
    using = router.db_for_write(DeletedConversation, instance=deleted)
    with transaction.atomic(using=using):
        if not DeletedConversation.objects.using(using).filter(pk=deleted.pk).lock():
            raise RestoreError(gettext("“%(id)s” was already restored or permanently deleted.") % name)
        owner_id: Any = deleted.owner_id
        owner = get_user_model()._base_manager.using(using).filter(pk=owner_id).first()
        if owner is None:
            message = gettext(
                "“%(id)s” can't be restored to its owner, because the user “%(owner)s” was deleted. An operator can "
                "restore it to another user with `restore_conversations --owner`."
            )
            raise RestoreError(message % {**name, "owner": deleted.owner_username})
        stream = open_gzip_chunks(deleted.content(using=using))
        outcome = next(import_conversations(stream, owner=owner, using=using, signal=conversation_restored), None)
        if outcome is None or outcome.kind == "bad":
            message = gettext("“%(id)s” can't be restored and stays deleted: %(reason)s")
            raise RestoreError(message % {**name, "reason": outcome.reason if outcome else ""})
        if outcome.kind != "added":
            raise RestoreError(gettext("A conversation “%(id)s” exists already. Delete it first.") % name)
        deleted.delete(using=using)


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the gzip stream of the chunks in parts of PART_BYTES, the last of which may be shorter."""
    pending = bytearray()
    for compressed in compress(chunks):
        pending += compressed
        while len(pending) >= PART_BYTES:
            yield bytes(pending[:PART_BYTES])
            del pending[:PART_BYTES]
    if pending:
        yield bytes(pending)
