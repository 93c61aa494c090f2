"""Insert a row with a unique key, but do not wait for a parallel transaction that is inserting the same key.

- PostgreSQL: the statement takes an advisory lock of the key, if it is free.
- MariaDB: a row that is not committed yet is locked by its transaction, and the statement does not wait for the lock.
- SQLite has one writer at a time, and MySQL no such statement: there, the insertion waits for the other transaction.

Both locks belong to the transaction, so that the database releases them when it ends or its client dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from django.db import OperationalError, connections

from conversations.db.aliases import database_key
from conversations.db.errors import is_lock_timeout


def has_key_lock(*, using: str) -> bool:
    """Whether `insert` can refuse instead of waiting."""
    connection: Any = connections[using]
    return connection.vendor == "postgresql" or bool(connection.vendor == "mysql" and connection.mysql_is_mariadb)


def lock_number(key: str, *, using: str) -> int:
    """Return the number of the key's advisory lock, for `pg_try_advisory_xact_lock`."""
    _, schema = database_key(using)  # Schemas of one database share its advisory locks.
    return int.from_bytes(blake2b(f"{schema}\n{key}".encode(), digest_size=8).digest(), "big", signed=True)


def insert(table: str, values: Mapping[str, Any], *, locked_key: str | None, using: str) -> bool:
    """Insert a row, and return True, or return False if a parallel transaction has locked the key.

    `values` are adapted to the database already. Without `locked_key`, wait for such a transaction.
    """
    connection = connections[using]
    columns = ", ".join(map(connection.ops.quote_name, values))
    places = ", ".join(["%s"] * len(values))
    parameters = list(values.values())
    sql = f"INSERT INTO {connection.ops.quote_name(table)} ({columns}) "
    if locked_key is None or not has_key_lock(using=using):
        sql += f"VALUES ({places})"
    elif connection.vendor == "postgresql":
        sql += f"SELECT {places} WHERE pg_try_advisory_xact_lock(%s)"
        parameters.append(lock_number(locked_key, using=using))
    else:
        sql = f"SET STATEMENT innodb_lock_wait_timeout = 0 FOR {sql} VALUES ({places})"
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql, parameters)
        except OperationalError as error:
            if locked_key is not None and is_lock_timeout(error):
                return False
            raise
        return bool(cursor.rowcount == 1)
