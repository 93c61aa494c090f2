"""The trash: deleted conversations that can be restored for CONVERSATIONS_RESTORE_DAYS.

Moving a conversation to the trash stores its export as a compressed copy and deletes its rows from every table, in
one transaction. A flag on the rows would be simpler to write, but every query, index and count would have to exclude
them, and one that forgot would show deleted text. Restoring imports the copy again.
`deletion.purge_trash` deletes copies when their time is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import router, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from conversations.conf import app_settings
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.deletion import delete_conversation, delete_locked
from conversations.errors import APIError
from conversations.models import AccessRecord, Actor, Conversation, DeletedConversation, DeletedPart, Item
from conversations.models.deleted_conversation import MAX_USERNAME_LENGTH, PART_BYTES
from conversations.schema.export_format import validate_item_line
from conversations.signals import conversation_restored
from conversations.transfer.exporter import Export
from conversations.transfer.gzip_stream import compress, join_chunks, open_gzip_chunks
from conversations.transfer.importer import import_conversations
from conversations.transfer.line_reader import read_lines

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class RestoreError(APIError):
    """The reason, for the user, why a conversation was not restored. Nothing has changed."""


@track_owner_writes
@retry_on_conflict
def move_to_trash(
    conversation: Conversation, *, deleted_by: AbstractBaseUser | AnonymousUser | None = None
) -> DeletedConversation | None:
    """Delete the conversation and return its copy in the trash, or None if CONVERSATIONS_RESTORE_DAYS is 0.

    Rows of your project's models that refer to the conversation or its items are treated as their `on_delete` demands.
    They are not part of the copy. The access log gets an entry if `deleted_by` is given. Raise an
    `APIError` if the conversation does not exist.
    """
    if not app_settings.restore_days:
        delete_conversation(conversation, deleted_by=deleted_by)
        return None
    using = conversation.write_alias
    with transaction.atomic(using=using):
        conversation.lock_for_change()
        conversation.refresh_from_db(using=using, from_queryset=Conversation.objects.select_related("owner"))
        copy = DeletedConversation.objects.using(using).create(
            conversation_id=conversation.pk,
            owner_id=conversation.owner_id,
            owner_username=conversation.owner.get_username()[:MAX_USERNAME_LENGTH],
            end_user=conversation.end_user,
            created_at=conversation.created_at,
            metadata=conversation.metadata,
            item_count=conversation.item_count,
            deleted_by_id=deleted_by.pk if deleted_by else None,
            deleted_by_username=deleted_by.get_username()[:MAX_USERNAME_LENGTH] if deleted_by else "",
        )
        export = Export(Conversation.objects.using(using).filter(pk=conversation.pk))
        for number, content in enumerate(join_chunks(compress(export), PART_BYTES), start=1):
            DeletedPart.objects.using(using).create(deleted_conversation=copy, number=number, content=content)
        counts = delete_locked(conversation)
        if counts.items != export.item_count:
            raise RuntimeError(f"{copy}: copied {export.item_count} of {counts.items} deleted items.")
        if deleted_by:
            AccessRecord.objects.record(
                user=deleted_by, action=AccessRecord.Action.DELETE, conversation_id=copy.conversation_id
            )
    return copy


def read_deleted_items(
    deleted: DeletedConversation, *, after: int = 0, content: Iterator[bytes] | None = None
) -> Iterator[tuple[int, Item]]:
    """Yield the unsaved items of the copy after a position, each after its length in bytes.

    `content` is the beginning of the copy, if a part of it is enough. Raise an `APIError` where it can't be read.
    """
    conversation = Conversation(pk=deleted.conversation_id)
    for line in read_lines(open_gzip_chunks(content or deleted.content())):
        if line.error:
            raise APIError(line.error)
        if line.is_item and line.value["position"] > after:
            item = validate_item_line(line.value)
            position, created_at = item["position"], item["created_at"]
            yield line.length, Item.build(conversation, position=position, data=item["data"], created_at=created_at)


@track_owner_writes
@retry_on_conflict
def restore(
    deleted: DeletedConversation, *, owner: AbstractBaseUser | None = None, restored_by: Actor | None = None
) -> None:
    """Restore the conversation with its items and indexes and delete its copy, or raise `RestoreError`.

    `owner` replaces the owner of the conversation, and is required if that user was deleted meanwhile.
    The access log gets an entry if `restored_by` is given.
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
        is_held = DeletedConversation.objects.using(using).values_list("is_held", flat=True).get(pk=deleted.pk)
        if is_held:
            QuerySet(Conversation, using=using).filter(pk=name["id"]).update(is_held=True)
        deleted.delete(using=using)
        if restored_by:
            AccessRecord.objects.record(
                user=restored_by, action=AccessRecord.Action.RESTORE, conversation_id=name["id"]
            )
