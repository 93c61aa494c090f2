"""Insert a row with a unique key, but do not wait for a parallel transaction that is inserting the same key.

- PostgreSQL: the statement takes an advisory lock of the key, if it is free.
- MariaDB: a row that is not committed yet is locked by its transaction, and the statement does not wait for the lock.
- SQLite has one writer at a time, and MySQL no such statement: there, the insertion waits for the other transaction.

Both locks belong to the transaction, so that the database releases them when it ends or its client dies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import OperationalError, connections

from conversations.db.errors import is_lock_timeout

# Whether the transaction now holds PostgreSQL's lock of a key, whose place is the one parameter. All schemas of a
# database share its advisory locks, hence the name of the schema.
TRY_LOCK = "pg_try_advisory_xact_lock(hashtextextended(current_schema() || ' ' || {place}, 0))"


def has_key_lock(*, using: str) -> bool:
    """Whether `insert` can refuse instead of waiting."""
    connection: Any = connections[using]
    return connection.vendor == "postgresql" or bool(connection.vendor == "mysql" and connection.mysql_is_mariadb)


def insert(table: str, values: Mapping[str, Any], *, unique: Sequence[str], locked_key: str | None, using: str) -> bool:
    """Insert a row, and return True, or return False if a parallel transaction has locked the key.

    `values` are adapted to the database already, and `unique` are the columns of the key. Without `locked_key`, wait
    for such a transaction.
    """
    connection = connections[using]
    columns = ", ".join(map(connection.ops.quote_name, values))
    places = ", ".join(["%s"] * len(values))
    parameters = list(values.values())
    sql = f"INSERT INTO {connection.ops.quote_name(table)} ({columns}) "
    if locked_key is None or not has_key_lock(using=using):
        sql += f"VALUES ({places})"
    elif connection.vendor == "postgresql":
        sql += f"SELECT {places} WHERE {TRY_LOCK.format(place='%s')}"
        parameters.append(locked_key)
    else:
        sql = f"SET STATEMENT innodb_lock_wait_timeout = 0 FOR {sql} VALUES ({places})"
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql, parameters)
        except OperationalError as error:
            if locked_key is None or not is_lock_timeout(error):
                raise
            if _is_locked(table, {column: values[column] for column in unique}, using=using):
                return False
            # InnoDB has locked the gap between two other keys, and not this one: wait for the lock.
            return insert(table, values, unique=unique, locked_key=None, using=using)
        return bool(cursor.rowcount == 1)


def _is_locked(table: str, key: Mapping[str, Any], *, using: str) -> bool:
    """Whether a transaction has locked the row of this key on MariaDB."""
    quote_name = connections[using].ops.quote_name
    where = " AND ".join(f"{quote_name(column)} = %s" for column in key)
    with connections[using].cursor() as cursor:
        try:
            sql = f"SELECT 1 FROM {quote_name(table)} WHERE {where} FOR UPDATE NOWAIT"  # noqa: S608
            cursor.execute(sql, list(key.values()))
        except OperationalError as error:
            if is_lock_timeout(error):
                return True
            raise
    return False
