"""Fields of texts that compare and sort alike, and of times, on every database."""

from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

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
