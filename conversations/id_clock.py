"""New ids that sort after the stored ones, even if the machine's clock was set back before the process started.

Clients that read new conversations by `after` would miss conversations whose ids sort before one that they have read.
"""

import time
from itertools import chain
from typing import Any

from django.apps import apps
from django.db import router
from django.db.backends.signals import connection_created

from conversations import ids

MAX_YEARS = 10  # that the clock may have been set back; an id that is further ahead was imported with random digits
MAX_ROWS = 1_000  # that are read at most, all with ids that were not created here


def follow_database() -> None:
    """Advance the clock of ids whenever this process connects to the database that conversations are written to."""
    connection_created.connect(_handle_connection, dispatch_uid="conversations.id_clock")


def advance(*, using: str) -> None:
    """Have this process create ids that sort after the greatest id that was created for a stored conversation.

    Other ids than those have no time, or another one than the conversation.
    """
    maximum = int(time.time()) + MAX_YEARS * 365 * 24 * 60 * 60
    bounds = {"pk__gte": ids.CONVERSATION_PREFIX, "pk__lt": ids.lower_bound(ids.CONVERSATION_PREFIX, seconds=maximum)}
    rows = _model().objects.using(using).filter(**bounds).order_by("-pk").values_list("pk", "created_at")
    for conversation_id, created_at in chain(rows[:1], rows[1:MAX_ROWS]):
        if ids.is_new_id(conversation_id) and ids.created_at(conversation_id) == created_at:
            ids.continue_after(conversation_id)
            return


def _handle_connection(*, connection: Any, **kwargs: Any) -> None:
    if connection.alias == router.db_for_write(_model()) and _has_table(connection):
        advance(using=connection.alias)


def _has_table(connection: Any) -> bool:
    """Whether the table of conversations exists. The first connection to a new database is the one that creates it."""
    return _model()._meta.db_table in connection.introspection.table_names()


def _model() -> Any:
    """Return the model of conversations, which can't be imported before Django is set up."""
    return apps.get_model("conversations", "Conversation")
