"""Signals that are sent after the commit of a verb: one for each verb, or for each batch of a verb that acts on many.

The sender is the model `Conversation`. Receivers get these arguments:

    conversation_created    conversations, items: an iterable of the items that were stored with them
    items_added             conversation, items
    metadata_replaced       conversation
    item_deleted            conversation, items
    conversation_deleted    conversations: as they were, without their items
    conversation_restored   conversations, items: from the trash

An error of a receiver is logged and concerns nobody else, because the change is committed.
"""

from functools import partial
from typing import Any

from django.db import transaction
from django.dispatch import Signal

conversation_created = Signal(use_caching=True)
items_added = Signal(use_caching=True)
metadata_replaced = Signal(use_caching=True)
item_deleted = Signal(use_caching=True)
conversation_deleted = Signal(use_caching=True)
conversation_restored = Signal(use_caching=True)


def send_on_commit(signal: Signal, *, sender: type[Any], using: str, **rows: Any) -> None:
    """Send the signal when the transaction is committed, at once if there is none; do nothing if nobody listens."""
    if signal.has_listeners(sender):
        transaction.on_commit(partial(signal.send_robust, sender=sender, **rows), using=using)
