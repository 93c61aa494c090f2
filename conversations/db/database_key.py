"""Identify the database that a query reads: an alias does not, where a host switches the schema under it."""

import sys

from django.db import connections

DatabaseKey = tuple[str, str]


def database_key(alias: str) -> DatabaseKey:
    """Return the alias and the schema that is current there, for whatever outlives a request to be keyed by.

    The schema is empty unless the host is multi-tenant.
    """
    schema = getattr(connections[alias], "schema_name", None)  # django-tenants
    # django-pgschemas keeps it in a context variable. Importing the package connects its signal receivers, so it is
    # only looked up where the host has already imported it.
    if schema is None and (pgschemas := sys.modules.get("django_pgschemas.schema")):
        schema = pgschemas.get_current_schema().schema_name
    return alias, schema or ""
