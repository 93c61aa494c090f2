"""Distinct values of an indexed text column, read by a loose index scan: one index look-up per distinct value.

`SELECT DISTINCT … LIMIT 20` reads every row of a frequent value. On 10 million conversations with 40 million pairs,
PostgreSQL 15 took 9,304 ms for the distinct keys of the metadata index, and 0.14 ms by this scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from django.core.exceptions import FullResultSet
from django.db import connections
from django.db.models import Min, QuerySet

from conversations.db.prepared_cursor import SQL, fetch_union

Scan = tuple[QuerySet[Any, Any], str]  # rows, and the least text to return of them


def iter_distinct_texts(scans: Sequence[Scan], column: str, *, limit: int, using: str) -> list[Iterator[str]]:
    """Return an iterator of sorted distinct texts for each scan, at most `limit`, with all scans in one statement.

    On MariaDB and MySQL each step of an iterator is a statement: they use an index for what is greater than a constant,
    but not for what is greater than a column of a recursive query.
    """
    if connections[using].vendor == "mysql":
        return [_iter_by_steps(rows, column, start, limit) for rows, start in scans]
    statements = (_recursive_sql(rows, column, start, limit, using) for rows, start in scans)
    texts = sorted(fetch_union(statements, using=using), key=itemgetter(1))
    return [iter([text for text, _, scan in texts if scan == number]) for number in range(len(scans))]


def _recursive_sql(rows: QuerySet[Any, Any], column: str, start: str, limit: int, using: str) -> SQL:
    """Return a statement that selects each distinct text with its rank."""
    condition, parameters = _where_clause(rows, using)
    first = f"SELECT {column} FROM {rows.model._meta.db_table} WHERE {condition} AND {column}"  # noqa: S608
    steps = f"""
            WITH RECURSIVE found (text, number) AS (
                SELECT ({first} >= %s ORDER BY {column} LIMIT 1), 1
                UNION ALL
                SELECT ({first} > found.text ORDER BY {column} LIMIT 1), number + 1
                FROM found WHERE text IS NOT NULL AND number < %s
            )
            SELECT text, number FROM found WHERE text IS NOT NULL
        """  # noqa: S608
    return steps, (*parameters, start, *parameters, limit)


def _iter_by_steps(rows: QuerySet[Any, Any], column: str, start: str, limit: int) -> Iterator[str]:
    rest = rows.filter(**{f"{column}__gte": start})
    for _ in range(limit):
        text = rest.aggregate(first=Min(column))["first"]
        if text is None:
            return
        yield text
        rest = rows.filter(**{f"{column}__gt": text})


def _where_clause(rows: QuerySet[Any, Any], using: str) -> tuple[str, Sequence[Any]]:
    try:
        sql, parameters = rows.query.get_compiler(using).compile(rows.query.where)
    except FullResultSet:
        return "1 = 1", []
    return sql, parameters
