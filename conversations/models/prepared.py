"""To be imported where PostgreSQL's driver is installed, psycopg 3."""

from typing import Any

from django.db.backends.postgresql import base

ServerBindingCursor: Any = base.ServerBindingCursor


class PreparedCursor(ServerBindingCursor):  # type: ignore[misc]
    """Has its statements prepared, and no others of its connection.

    Those of Django hold their values: to count them the driver would keep a hundred such texts, whatever their length.
    """

    threshold: int | None = None

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        self.connection.prepare_threshold = self.threshold
        try:
            return super().execute(*args, **kwargs)
        finally:
            self.connection.prepare_threshold = None
