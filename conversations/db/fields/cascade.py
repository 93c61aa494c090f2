"""Foreign keys whose rows the database itself deletes with the row that they refer to."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

SetType = TypeVar("SetType")
GetType = TypeVar("GetType")


class CascadeForeignKey(models.ForeignKey[SetType, GetType]):
    """A foreign key with `ON DELETE CASCADE`, so that no row stays while the app is off and Django does not know it.

    It takes `db_constraint=False`, because it writes the constraint itself. MySQL ignores that, so give it
    `on_delete=CASCADE` too.
    """

    def db_type_suffix(self, connection: BaseDatabaseWrapper) -> str:
        return _references(self.target_field, connection)


class CascadeOneToOneField(models.OneToOneField[SetType, GetType]):
    """The same for at most one row."""

    def db_type_suffix(self, connection: BaseDatabaseWrapper) -> str:
        return _references(self.target_field, connection)


def _references(target: Any, connection: BaseDatabaseWrapper) -> str:
    table, column = map(connection.ops.quote_name, (target.model._meta.db_table, target.column))
    return f"REFERENCES {table} ({column}) ON DELETE CASCADE"
