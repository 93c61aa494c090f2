"""Model fields that behave alike on every database, which Django's own fields do not."""

from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Col, Func
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone
from django.utils.functional import cached_property

from conversations import ids

MAX_ENCODED_LENGTH = 80  # InnoDB indexes words of 3 to 84 characters


class BytewiseCharField(models.CharField):  # type: ignore[type-arg]
    """Text that compares and sorts by its bytes: exact, case-sensitive, in the same order on every database."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        if connection.vendor == "postgresql":
            # For `varchar` Django would add a second index to each unique column, for LIKE. Under collation C the
            # first one serves LIKE too.
            return f"character varying({self.max_length})"
        return super().db_type(connection)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        return {**super().db_parameters(connection), "collation": _bytewise_collation(connection)}


class BytewiseTextField(models.TextField):  # type: ignore[type-arg]
    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        return {**super().db_parameters(connection), "collation": _bytewise_collation(connection)}


class WordsField(BytewiseTextField):
    """Words with a space before, between and after them, so that a phrase is a substring of the text.

    MySQL and MariaDB store each word as `encode_word` encodes it for their full-text index.
    """

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if connection.vendor == "mysql" and isinstance(value, str):
            value = f" {' '.join(map(encode_word, value.split()))} "
        return super().get_db_prep_value(value, connection, prepared)


class CreationTimeField(models.DateTimeField):  # type: ignore[type-arg]
    """Time that a new row takes from its id, a primary key of `conversations.ids`, unless it has a time already."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if add and getattr(model_instance, self.attname) is None:
            setattr(model_instance, self.attname, _time_of_id(str(model_instance.pk)))
        return super().pre_save(model_instance, add)


def _time_of_id(row_id: str) -> datetime:
    """Return the time in the id, or the current time if the id has another form."""
    try:
        return ids.created_at(row_id)
    except ValueError:
        return timezone.now()


def encode_word(word: str) -> str:
    """Return the word in ASCII letters and digits. Only very long words can collide.

    The two letters in front keep InnoDB from dropping a word because it is too short or a stopword.
    """
    if word.isascii():
        return f"zz{word}"
    encoded = f"zx{word.encode().hex()}"
    return encoded if len(encoded) <= MAX_ENCODED_LENGTH else f"zy{blake2b(word.encode(), digest_size=20).hexdigest()}"


def _bytewise_collation(connection: BaseDatabaseWrapper) -> str | None:
    if connection.vendor == "postgresql":
        return "C"
    if connection.vendor == "mysql":
        # Without padding, "a" and "a " differ.
        return "utf8mb4_nopad_bin" if connection.mysql_is_mariadb else "utf8mb4_0900_bin"  # type: ignore[attr-defined]
    return None


# The JSON escape of U+0000, which no text of a database can hold, and the escape of the character that stands for it.
NUL_ESCAPE, REPLACEMENT_ESCAPE = "\\u0000", "\\ufffd"
ESCAPED_BACKSLASH = "\\\\"
PLACEHOLDER = "\x01"  # JSON text has no control character, so this one can stand for an escaped backslash.


class JSONColumn(Col):
    """A column of JSON text that is selected as it is stored, and read as JSON by lookups, transforms and sort orders.

    To them, U+FFFD stands for U+0000: PostgreSQL's JSON operators raise an error if a text anywhere in the JSON has
    that character, and SQLite's functions end the text there.
    """

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        text, params = self.stored_text(compiler, connection)
        nul, replacement, backslash, placeholder = (
            _text_literal(each, connection) for each in (NUL_ESCAPE, REPLACEMENT_ESCAPE, ESCAPED_BACKSLASH, PLACEHOLDER)
        )
        position = f"STRPOS({text}, {nul})" if connection.vendor == "postgresql" else f"INSTR({text}, {nul})"
        # An escaped backslash before "u0000" is not the escape of U+0000, so it is hidden meanwhile.
        replaced = f"REPLACE(REPLACE({text}, {backslash}, {placeholder}), {nul}, {replacement})"
        sql = f"CASE WHEN {position} = 0 THEN {text} ELSE REPLACE({replaced}, {placeholder}, {backslash}) END"
        return (f"({sql})::jsonb" if connection.vendor == "postgresql" else f"({sql})"), params

    def stored_text(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        """Return the SQL of the text as it is stored, which also compares as text: PostgreSQL can't compare `json`."""
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


def _text_literal(text: str, connection: BaseDatabaseWrapper) -> str:
    """Return a literal in whose notation a backslash stands for itself, whatever the settings of the server."""
    digits = text.encode().hex()
    if connection.vendor == "postgresql":
        return "E'\\x" + text.encode().hex(",").replace(",", "\\x") + "'"
    return f"_utf8mb4 0x{digits}" if connection.vendor == "mysql" else f"CAST(x'{digits}' AS TEXT)"


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

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if hasattr(value, "as_sql") or value is None:
            return value
        return orjson.dumps(value).decode()

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return orjson.loads(value) if isinstance(value, str) else value
