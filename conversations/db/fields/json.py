"""Fields of JSON whose text is returned as it is stored, and which are queried as Django's `JSONField` is."""

import json
from functools import partial
from typing import Any

import orjson
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Col, Func, Subquery, Value
from django.db.models.fields.json import (
    ContainedBy,
    DataContains,
    JSONExact,
    KeyTransform,
    KeyTransformFactory,
)
from django.db.models.lookups import In
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler
from django.utils.functional import cached_property

NUL_ESCAPE = "\\u0000"  # in JSON
REPLACEMENT = "\ufffd"
ESCAPED_BACKSLASH = "\\\\"
PLACEHOLDER = "\x01"  # JSON text has no control character, so this one can stand for an escaped backslash.


def _replace_nul(json_text: str) -> str:
    """Return the JSON text with U+FFFD in place of U+0000.

    An escaped backslash before "u0000" is not the escape of U+0000, so it is hidden meanwhile.
    """
    hidden = json_text.replace(ESCAPED_BACKSLASH, PLACEHOLDER)
    return hidden.replace(NUL_ESCAPE, REPLACEMENT).replace(PLACEHOLDER, ESCAPED_BACKSLASH)


def _as_json(sql: str, connection: BaseDatabaseWrapper) -> str:
    """Return the SQL of a JSON text as the database's own JSON, with U+FFFD in place of U+0000, as `_replace_nul` does.

    PostgreSQL's JSON operators raise an error if a text anywhere in the JSON has U+0000, and SQLite's functions end the
    text there.
    """
    nul, replacement, backslash, placeholder = (
        _text_literal(each, connection) for each in (NUL_ESCAPE, REPLACEMENT, ESCAPED_BACKSLASH, PLACEHOLDER)
    )
    if connection.vendor == "postgresql":
        sql = f"{sql}::text"
    hidden = f"REPLACE({sql}, {backslash}, {placeholder})"
    replaced = f"REPLACE(REPLACE({hidden}, {nul}, {replacement}), {placeholder}, {backslash})"
    return f"{replaced}::jsonb" if connection.vendor == "postgresql" else replaced


def _text_literal(text: str, connection: BaseDatabaseWrapper) -> str:
    """Return a literal in whose notation a backslash stands for itself, whatever the settings of the server."""
    digits = text.encode().hex()
    if connection.vendor == "postgresql":
        return "E'\\x" + text.encode().hex(",").replace(",", "\\x") + "'"
    return f"_utf8mb4 0x{digits}" if connection.vendor == "mysql" else f"CAST(x'{digits}' AS TEXT)"


class JSONColumn(Col):
    """A column of JSON text that is selected as it is stored. Lookups, transforms and sort orders read it as JSON."""

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        sql, params = super().as_sql(compiler, connection)
        return _as_json(sql, connection), params

    def stored_text(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        """Return the SQL of the text as it is stored, which can be compared: PostgreSQL can't compare `json`."""
        sql, params = super().as_sql(compiler, connection)
        return (f"{sql}::text" if connection.vendor == "postgresql" else sql), params

    def select_format(self, compiler: SQLCompiler, sql: str, params: Any) -> Any:
        return self.stored_text(compiler, compiler.connection)


class StoredText(Func):
    """The text of a JSON column as it is stored, for functions of texts."""

    arity = 1
    output_field = models.TextField()

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:  # type: ignore[override]
        [column] = self.get_source_expressions()
        return column.stored_text(compiler, connection)


class SelectedJSON(Func):
    """The JSON text that an expression such as a subquery selects, read as JSON."""

    arity = 1

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:  # type: ignore[override]
        sql, params = compiler.compile(self.get_source_expressions()[0])
        return _as_json(f"({sql})", connection), list(params)  # Django's `has_key` adds to a list only.


class MemberText(Func):
    """The text of a member of a JSON object, compared by bytes. Its key is a parameter, also if it is a number."""

    arity = 1
    output_field = models.TextField()

    def __init__(self, expression: Any, key: str) -> None:
        super().__init__(expression)
        self.key = key

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:  # type: ignore[override]
        sql, params = compiler.compile(self.get_source_expressions()[0])
        if connection.vendor == "postgresql":
            return f'({sql} ->> %s::text) COLLATE "C"', (*params, self.key)
        sql, params = f"JSON_EXTRACT({sql}, %s)", (*params, f"$.{json.dumps(self.key)}")
        return (f"JSON_UNQUOTE({sql}) COLLATE utf8mb4_bin" if connection.vendor == "mysql" else sql), params


def _read_as_json(expression: Any) -> Any:
    is_json = isinstance(expression, JSONColumn | KeyTransform | SelectedJSON | Value)
    return expression if is_json else SelectedJSON(expression)


class JSONKey(KeyTransform):
    """A member of a JSON value."""

    def __init__(self, key_name: str, expression: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(key_name, _read_as_json(expression), *args, **kwargs)

    def select_format(self, compiler: SQLCompiler, sql: str, params: Any) -> Any:
        """Select JSON text on SQLite too. Its functions return the text 1, the number 1 and true as 1."""
        connection = compiler.connection
        if connection.vendor != "sqlite":
            return sql, params
        value, value_params, _ = self.preprocess_lhs(compiler, connection)
        member_type, member = f"JSON_TYPE({value}, %s)", f"JSON_QUOTE(JSON_EXTRACT({value}, %s))"
        sql = f"CASE WHEN {member_type} IN ('true', 'false') THEN {member_type} ELSE {member} END"
        return sql, (*value_params, params[-1]) * 3  # The last parameter is the path.


class ComparisonWithSubquery:
    """Mixin for lookups that compares texts if the right-hand side is a subquery: it selects the stored text."""

    lhs: Any
    rhs: Any

    def process_lhs(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, lhs: Any = None) -> Any:
        lhs = lhs or self.lhs
        if isinstance(self.rhs, Query | Subquery) and isinstance(lhs, JSONColumn):
            return lhs.stored_text(compiler, connection)
        return super().process_lhs(compiler, connection, lhs)  # type: ignore[misc]


class VerbatimExact(ComparisonWithSubquery, JSONExact):
    def process_rhs(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        """Compare with the text as it is: for MariaDB, Django formats it in another way than the column has it."""
        return super(JSONExact, self).process_rhs(compiler, connection)


class VerbatimIn(ComparisonWithSubquery, In):
    pass


class SQLiteContainment:
    """Mixin for the lookups `contains` and `contained_by` that makes them work on SQLite, in Python."""

    lhs: Any

    def as_sqlite(self, compiler: SQLCompiler, connection: Any) -> Any:
        lookup: Any = self
        lhs, lhs_params = lookup.process_lhs(compiler, connection)
        if isinstance(self.lhs, JSONKey):
            lhs, lhs_params = self.lhs.select_format(compiler, lhs, lhs_params)
        rhs, rhs_params = lookup.process_rhs(compiler, connection)
        connection.ensure_connection()
        connection.connection.create_function("conversations_json_contains", 2, _contains, deterministic=True)
        if isinstance(self, ContainedBy):
            return f"conversations_json_contains({rhs}, {lhs})", (*rhs_params, *lhs_params)
        return f"conversations_json_contains({lhs}, {rhs})", (*lhs_params, *rhs_params)


class VerbatimContains(SQLiteContainment, DataContains):
    pass


class VerbatimContainedBy(SQLiteContainment, ContainedBy):
    pass


def _contains(value: str | None, part: str | None) -> bool | None:
    """Whether one JSON text contains another, as PostgreSQL's `@>` does."""
    return None if value is None or part is None else _has_part(orjson.loads(value), orjson.loads(part))


def _has_part(value: Any, part: Any) -> bool:
    if isinstance(value, dict) and isinstance(part, dict):
        return all(name in value and _has_part(value[name], member) for name, member in part.items())
    if isinstance(value, list) and isinstance(part, list):
        return all(any(_has_part(member, wanted) for member in value) for wanted in part)
    return bool(value == part) and isinstance(value, bool) == isinstance(part, bool)


class VerbatimJSONField(models.JSONField):
    """JSON that is read back exactly as it was written: members in their order, up to 128 levels deep.

    The column types `jsonb` of PostgreSQL and `json` of MySQL sort members, and the check that Django adds on MariaDB
    accepts at most 32 levels.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return {"postgresql": "json", "mysql": "longtext"}.get(connection.vendor, super().db_type(connection))

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        collation = "utf8mb4_bin" if connection.vendor == "mysql" else None  # sets the character set
        return {**super().db_parameters(connection), "collation": collation}

    def db_check(self, connection: BaseDatabaseWrapper) -> str | None:
        return None

    def get_col(self, alias: Any, output_field: Any = None) -> JSONColumn:
        return JSONColumn(alias, self, output_field)

    @cached_property
    def cached_col(self) -> JSONColumn:
        return self.get_col(self.model._meta.db_table)

    def get_transform(self, name: str) -> Any:
        transform = super().get_transform(name)
        return partial(JSONKey, name) if isinstance(transform, KeyTransformFactory) else transform

    def get_lookup(self, name: str) -> Any:
        lookup = super().get_lookup(name)
        return lookup and (lambda lhs, rhs: lookup(_read_as_json(lhs), rhs))

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        if isinstance(value, Value) and value.value is None and isinstance(value.output_field, models.JSONField):
            return "null"
        return value if value is None or hasattr(value, "as_sql") else self._dump(value, connection)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """Adapt a value for a comparison, in which U+FFFD stands for U+0000."""
        text = _replace_nul(self._dump(value, connection))
        return connection.ops.adapt_json_value(orjson.loads(text), None) if connection.vendor == "postgresql" else text

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        if not isinstance(value, str):
            return value  # None, or a number that SQLite has extracted for Django's own `KeyTransform`
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            if isinstance(expression, KeyTransform):
                return value
            raise

    def _dump(self, value: Any, connection: BaseDatabaseWrapper) -> str:
        """Return the text to store. Except on PostgreSQL, characters outside ASCII are escaped.

        Django escapes them in the paths of keys, and the other databases compare names as they are written.
        """
        return orjson.dumps(value).decode() if connection.vendor == "postgresql" else json.dumps(value)


class LongJSONField(VerbatimJSONField):
    """Verbatim JSON in the shortest form. Only PostgreSQL finds keys that have characters outside ASCII."""

    def _dump(self, value: Any, connection: BaseDatabaseWrapper) -> str:
        return orjson.dumps(value).decode()


VerbatimJSONField.register_lookup(VerbatimExact)
VerbatimJSONField.register_lookup(VerbatimIn)
VerbatimJSONField.register_lookup(VerbatimContains)
VerbatimJSONField.register_lookup(VerbatimContainedBy)
