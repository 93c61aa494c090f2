"""Key of the database that a query reads: the alias alone is not enough if your project switches schemas under it."""

import sys

from django.db import connections

DatabaseKey = tuple[str, str]


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
