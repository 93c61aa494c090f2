"""Indexes that leave out rows, on databases that have such indexes."""

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q


class NotNullIndex(models.Index):
    """Index of the rows whose first field is not null, or of all rows on MySQL and MariaDB.

    Rows without a value then cost no index entry. PostgreSQL and SQLite use the index for every query that compares the
    field with a value, because such a comparison excludes NULL.
    """

    def create_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **kwargs: Any
    ) -> Any:
        if not schema_editor.connection.features.supports_partial_indexes:
            return super().create_sql(model, schema_editor, using, **kwargs)
        # With `condition` of Django's own, its checks would warn about MySQL.
        condition = Q((f"{self.fields[0]}__isnull", False))
        partial = models.Index(fields=self.fields, name=self.name, condition=condition)
        return partial.create_sql(model, schema_editor, using, **kwargs)
