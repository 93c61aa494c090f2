"""Queries that are asked again and again: the ORM takes longer to compile one than a database to answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connections, models
from django.db.models.sql.compiler import SQLCompiler

from conversations.db.prepared_cursor import fetch_rows

Row = TypeVar("Row", bound=models.Model)


class Parameter(models.Expression):
    """Stands in a compiled query for a value that each execution brings."""

    def __init__(self, name: str, *, of: Any) -> None:
        super().__init__(output_field=of)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> Any:
        return "%s", [self]


class Compiled(NamedTuple):
    model: Any
    sql: str
    parameters: tuple[Any, ...]
    names: list[str]
    converters: list[tuple[int, list[Callable[..., Any]], Any]]


class CompiledQuery(Generic[Row]):
    """What the query set finds that `build` makes of `Parameter`s, which it has to use as they are.

    `build` also takes what the SQL depends on, such as an order; of each such choice the SQL is kept.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Row, Any]]) -> None:
        self.build = build
        self._compiled: dict[tuple[Any, ...], Compiled] = {}

    def first(self, *, using: str, **values: Any) -> Row | None:
        """The first instance, if there is one."""
        rows = self.rows(using=using, **values)
        compiled = self._compiled[using,]
        instance: Row | None = compiled.model.from_db(using, compiled.names, rows[0]) if rows else None
        return instance

    def rows(self, *choice: Any, using: str, **values: Any) -> list[list[Any]]:
        compiled = self._compiled.get((using, *choice)) or self._compile(using, choice)
        connection = connections[using]
        parameters = [
            each.output_field.get_db_prep_value(values[each.name], connection) if isinstance(each, Parameter) else each
            for each in compiled.parameters
        ]
        rows = [list(row) for row in fetch_rows(compiled.sql, parameters, connection=connection)]
        for index, converters, column in compiled.converters:
            for convert in converters:
                for row in rows:
                    row[index] = convert(row[index], column, connection)
        return rows

    def _compile(self, using: str, choice: tuple[Any, ...]) -> Compiled:
        query = self.build(*choice).query
        compiler = query.get_compiler(using)
        sql, parameters = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        converters = [(index, *each) for index, each in compiler.get_converters(columns).items()]
        names = [column.target.attname for column in columns]
        compiled = self._compiled[using, *choice] = Compiled(query.model, sql, tuple(parameters), names, converters)
        return compiled
