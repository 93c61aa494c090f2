"""Legal holds: a held conversation can be read and appended to, but what it holds can't be changed or deleted.

Every verb that changes or deletes locks the conversation's row by `Conversation.lock_for_change`, whose one statement
checks the hold too. Appending raises the counters without that condition, so that holds cost it nothing.
"""

from __future__ import annotations

from django.db import router, transaction
from django.db.models import QuerySet

from conversations import errors
from conversations.db.retry import retry_on_conflict
from conversations.models import AccessRecord, Actor, Conversation, DeletedConversation


@retry_on_conflict
def place_hold(row: Conversation | DeletedConversation, *, reason: str, placed_by: Actor) -> bool:
    """Place a legal hold on a conversation, or on its copy in the trash, and record it in the access log.

    Return False, and record nothing, if it is held already. Raise `APIError` if it does not exist any more.
    """
    return _set_held(row, True, reason=reason, action=AccessRecord.Action.HOLD, actor=placed_by)


@retry_on_conflict
def release_hold(row: Conversation | DeletedConversation, *, reason: str, released_by: Actor) -> bool:
    """Release the legal hold, and record it in the access log. Return False, and record nothing, if there is none."""
    return _set_held(row, False, reason=reason, action=AccessRecord.Action.RELEASE, actor=released_by)


def _set_held(
    row: Conversation | DeletedConversation, is_held: bool, *, reason: str, action: AccessRecord.Action, actor: Actor
) -> bool:
    using = router.db_for_write(type(row), instance=row)
    conversation_id = row.pk if isinstance(row, Conversation) else row.conversation_id
    # The manager of conversations refuses to update holds.
    rows: QuerySet[Conversation | DeletedConversation] = QuerySet(type(row), using=using).filter(pk=row.pk)
    with transaction.atomic(using=using):
        is_changed = bool(rows.filter(is_held=not is_held).update(is_held=is_held))
        if is_changed:
            details = {"reason": reason} if reason else None
            AccessRecord.objects.record(user=actor, action=action, conversation_id=conversation_id, details=details)
        elif not rows.exists():
            raise errors.conversation_not_found(conversation_id)
    row.is_held = is_held
    return is_changed
