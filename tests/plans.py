"""The indexes and tables that a statement reads, with the same names on every database."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from conversations.models import Conversation, Item, MetadataPair

connection = connections[Conversation.objects.db]
TABLES = {model._meta.db_table: model.__name__ for model in (Conversation, Item, MetadataPair)}


@contextmanager
def capture_statements() -> Iterator[list[tuple[str, Any]]]:
    """Capture the statements of the block with their parameters."""
    statements: list[tuple[str, Any]] = []
    connection.ensure_connection()  # It executes statements of its own.

    def record(execute, sql, params, many, context):
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield statements


def plan_steps(sql: str, params: Any) -> set[str]:
    """Return the names of the indexes that are read (`pk of …` for a primary key), `scan of …`, `sort` and `hash`."""
    return {"postgresql": _postgresql, "sqlite": _sqlite, "mysql": _mysql}[connection.vendor](sql, params)


def analyze() -> None:
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ANALYZE TABLE {table}" if connection.vendor == "mysql" else f"ANALYZE {table}")
            if connection.vendor == "mysql":
                cursor.fetchall()


def _explain(prefix: str, sql: str, params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{prefix} {sql}", params)
        return list(cursor.fetchall())


def _postgresql(sql: str, params: Any) -> set[str]:
    def walk(node: dict[str, Any]) -> Iterator[str]:
        match node["Node Type"]:
            case "Seq Scan" if node["Relation Name"] in TABLES:
                yield f"scan of {TABLES[node['Relation Name']]}"
            case "Sort" | "Incremental Sort":
                yield "sort"
            case "Hash":
                yield "hash"
        if index := node.get("Index Name"):
            table = index.removesuffix("_pkey")
            yield f"pk of {TABLES[table]}" if table in TABLES else index
        for child in node.get("Plans", []):
            yield from walk(child)

    [[plan]] = _explain("EXPLAIN (FORMAT JSON)", sql, params)
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return set(walk(plan[0]["Plan"]))


def _sqlite(sql: str, params: Any) -> set[str]:
    steps: set[str] = set()
    subqueries: set[str] = set()
    for *_, detail in _explain("EXPLAIN QUERY PLAN", sql, params):
        if index := re.search(r"INDEX (\w+)", detail):
            automatic = re.fullmatch(r"sqlite_autoindex_(\w+)_1", index[1])
            steps.add(f"pk of {TABLES[automatic[1]]}" if automatic else index[1])
        elif subquery := re.match(r"(?:CO-ROUTINE|MATERIALIZE) (\w+)$", detail):
            subqueries.add(subquery[1])
        elif (table := re.match(r"SCAN (\w+)$", detail)) and table[1] in TABLES.keys() - subqueries:
            steps.add(f"scan of {TABLES[table[1]]}")
        if "TEMP B-TREE" in detail:
            steps.add("sort")
    return steps


def _mysql(sql: str, params: Any) -> set[str]:
    steps = set()
    for _, _, table, kind, _, key, *_, extra in _explain("EXPLAIN", sql, params):
        if key == "PRIMARY":
            steps.add(f"pk of {TABLES.get(table, table)}")
        elif key:
            steps.add(key)
        elif kind == "ALL" and table in TABLES:
            steps.add(f"scan of {TABLES[table]}")
        if "filesort" in (extra or ""):
            steps.add("sort")
    return steps
