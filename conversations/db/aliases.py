"""The databases that your project's database routers choose for querysets."""

from typing import Any

from django.db import models, router


def write_alias(rows: models.QuerySet[Any]) -> str:
    """Return the alias of the database that a write to the queryset goes to.

    A transaction around the write needs it before: `rows.db` is the alias of the database to read from.
    """
    return vars(rows)["_db"] or router.db_for_write(rows.model, **vars(rows)["_hints"])
