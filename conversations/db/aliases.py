"""The databases and schemas that a query goes to."""

import sys
from typing import Any

from django.db import connections, models, router

DatabaseKey = tuple[str, str]


def write_alias(rows: models.QuerySet[Any]) -> str:
    """Return the alias of the database that your project's routers choose for a write to the queryset.

    A transaction around the write needs it before: `rows.db` is the alias of the database to read from.
    """
    return vars(rows)["_db"] or router.db_for_write(rows.model, **vars(rows)["_hints"])


def database_key(alias: str) -> DatabaseKey:
    """Return the alias and its current schema, the key for every cache that outlives a request.

    The schema is empty unless your project is multi-tenant.
    """
    schema = getattr(connections[alias], "schema_name", None)  # django-tenants
    # django-pgschemas keeps the schema in a context variable. Importing the package would connect its signal receivers,
    # so use it only if it is imported already.
    if schema is None and (pgschemas := sys.modules.get("django_pgschemas.schema")):
        schema = pgschemas.get_current_schema().schema_name
    return alias, schema or ""
