from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.utils import CursorWrapper


def cursor(using: str) -> CursorWrapper:
    """For statements that are often executed; to be closed.

    Django's own cursors for psycopg write the values into the SQL, so that each statement is a new one to PostgreSQL.
    This one sends them beside it, and has it prepared where OPTIONS of the database have a `prepare_threshold`.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        return connection.cursor()
    from django.db.backends.postgresql import psycopg_any  # which needs its driver

    if not psycopg_any.is_psycopg3:
        return connection.cursor()
    from conversations.models.prepared import PreparedCursor

    connection.close_if_health_check_failed()
    connection.ensure_connection()
    threshold = connection.settings_dict["OPTIONS"].get("prepare_threshold")
    raw: Any = PreparedCursor(connection.connection, threshold=threshold)
    return connection.make_debug_cursor(raw) if connection.queries_logged else connection.make_cursor(raw)
