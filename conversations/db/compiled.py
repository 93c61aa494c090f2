"""Queries whose SQL is compiled once per process.

The ORM takes longer to compile a query than a database takes to execute it. `conversations.owned_conversations` has the
figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql import Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

from conversations.db.prepared_cursor import fetch_rows

Row = TypeVar("Row", bound=models.Model)


class Parameter(models.Expression):
    """Placeholder in a compiled query for a value that each execution provides.

    The value is adapted to the database as a value of the model field `field` would be.
    """

    def __init__(self, name: str, *, field: Any) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> Any:
        # The placeholder takes its value's place among the parameters; `_bind` replaces it.
        return "%s", [self]


class Statement(NamedTuple):
    """The SQL of a query for one database, and how to convert its rows."""

    model: Any
    sql: str
    parameters: tuple[Any, ...]  # constants, and a `Parameter` for each value that an execution provides
    field_names: list[str]  # of the selected columns, as `Model.from_db` expects them
    converters: list[tuple[int, list[Callable[..., Any]], Any]]  # index of a column, its converters, its expression


class CompiledQuery(Generic[Row]):
    """A query whose SQL is compiled once for each database and each combination of options.

    `build` returns the queryset, with a `Parameter` for each value that changes between executions. Its arguments are
    the options, such as the sort order: whatever changes the SQL.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Row, Any]]) -> None:
        self.build = build
        self._statements: dict[tuple[Any, ...], Statement] = {}  # by database alias and options

    def first(self, *options: Any, using: str, **values: Any) -> Row | None:
        """Return the first row as a model instance, or None if there are no rows."""
        rows = self.rows(*options, using=using, **values)
        statement = self._statement(using, options)
        instance: Row | None = statement.model.from_db(using, statement.field_names, rows[0]) if rows else None
        return instance

    def rows(self, *options: Any, using: str, **values: Any) -> list[list[Any]]:
        """Execute the query and return its rows, with the Python values that a queryset would have.

        `values` has the value of each `Parameter` by name.
        """
        statement = self._statement(using, options)
        connection = connections[using]
        parameters = _bind(statement.parameters, values, connection)
        rows = [list(row) for row in fetch_rows(statement.sql, parameters, connection=connection)]
        for index, converters, expression in statement.converters:
            for convert in converters:
                for row in rows:
                    row[index] = convert(row[index], expression, connection)
        return rows

    def _statement(self, using: str, options: tuple[Any, ...]) -> Statement:
        key = (using, *options)
        statement = self._statements.get(key)
        if statement is None:
            statement = self._statements[key] = _compile(self.build(*options).query, using)
        return statement


class CompiledUpdate:
    """An UPDATE whose SQL is compiled once for each database and each combination of options.

    `build` returns the queryset of the rows, and the expression for each field to write. See `CompiledQuery` for the
    rest.
    """

    def __init__(self, build: Callable[..., tuple[models.QuerySet[Any], dict[str, Any]]]) -> None:
        self.build = build
        self._statements: dict[tuple[Any, ...], tuple[str, tuple[Any, ...]]] = {}

    def execute(self, *options: Any, using: str, **values: Any) -> int:
        """Execute the statement, and return the number of rows that it found."""
        key = (using, *options)
        statement = self._statements.get(key)
        if statement is None:
            rows, changes = self.build(*options)
            query: Any = rows.query.chain(UpdateQuery)
            query.add_update_values(changes)
            statement = self._statements[key] = query.get_compiler(using).as_sql()
        sql, parameters = statement
        connection = connections[using]
        with connection.cursor() as cursor:
            cursor.execute(sql, _bind(parameters, values, connection))
            return int(cursor.rowcount)


def _bind(parameters: Sequence[Any], values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
    """Return the parameters with the database's form of a value in place of each `Parameter`."""
    return [
        parameter.output_field.get_db_prep_value(values[parameter.name], connection)
        if isinstance(parameter, Parameter)
        else parameter
        for parameter in parameters
    ]


def _compile(query: Query, using: str) -> Statement:
    compiler = query.get_compiler(using)
    sql, parameters = compiler.as_sql()
    columns = [column for column, _, _ in compiler.select]
    return Statement(
        model=query.model,
        sql=sql,
        parameters=tuple(parameters),
        field_names=[column.target.attname for column in columns],
        converters=[
            (index, converters, expression)
            for index, (converters, expression) in compiler.get_converters(columns).items()
        ],
    )
