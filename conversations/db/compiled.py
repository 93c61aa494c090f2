"""Queries that are compiled once: the ORM takes longer to compile a query than a database to answer it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connections, models
from django.db.models.sql.compiler import SQLCompiler

from conversations.db.prepared_cursor import fetch_rows

Row = TypeVar("Row", bound=models.Model)


class Parameter(models.Expression):
    """Placeholder in a compiled query for a value that each execution provides."""

    def __init__(self, name: str, *, of: Any) -> None:
        super().__init__(output_field=of)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> Any:
        return "%s", [self]


class Compiled(NamedTuple):
    """The SQL of a query, and the converters from its columns to the values of a model instance."""

    model: Any
    sql: str
    parameters: tuple[Any, ...]
    names: list[str]
    converters: list[tuple[int, list[Callable[..., Any]], Any]]


class CompiledQuery(Generic[Row]):
    """A query whose SQL is compiled once for each database and each set of options.

    `build` returns the queryset, with a `Parameter` for each value that changes between executions. Its arguments are
    the options that change the SQL, such as the sort order.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Row, Any]]) -> None:
        self.build = build
        self._compiled: dict[tuple[Any, ...], Compiled] = {}

    def first(self, *, using: str, **values: Any) -> Row | None:
        """Return the first instance, or None if there are no rows."""
        rows = self.rows(using=using, **values)
        compiled = self._compiled[using,]
        instance: Row | None = compiled.model.from_db(using, compiled.names, rows[0]) if rows else None
        return instance

    def rows(self, *options: Any, using: str, **values: Any) -> list[list[Any]]:
        """Return the selected columns of each row, converted as Django converts them. `values` are by parameter."""
        compiled = self._compiled.get((using, *options)) or self._compile(using, options)
        connection = connections[using]
        parameters = [
            parameter.output_field.get_db_prep_value(values[parameter.name], connection)
            if isinstance(parameter, Parameter)
            else parameter
            for parameter in compiled.parameters
        ]
        rows = [list(row) for row in fetch_rows(compiled.sql, parameters, connection=connection)]
        for index, converters, column in compiled.converters:
            for convert in converters:
                for row in rows:
                    row[index] = convert(row[index], column, connection)
        return rows

    def _compile(self, using: str, options: tuple[Any, ...]) -> Compiled:
        query = self.build(*options).query
        compiler = query.get_compiler(using)
        sql, parameters = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        converters = [(index, *converter) for index, converter in compiler.get_converters(columns).items()]
        names = [column.target.attname for column in columns]
        compiled = self._compiled[using, *options] = Compiled(query.model, sql, tuple(parameters), names, converters)
        return compiled
