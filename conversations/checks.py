"""System checks: a wrong setting is reported at start, not by the first request that meets it."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.module_loading import import_string

from conversations.conf import app_settings
from conversations.models import Item, ItemText
from conversations.schema.include import INCLUDABLE
from conversations.schema.items import ITEM_TYPES
from conversations.search.item_text import full_text_enabled

MAX_API_KEY_SECONDS = 3_600
MAX_RESTORE_DAYS = 36_500
CACHES_OF_ONE_PROCESS = (
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
)


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    return [
        *_api_key_seconds(),
        *_authentication(),
        *_include(),
        *_item_types(),
        *_body_limit(),
        *_value_limit(),
        *_full_text(),
        *_reading(),
        *_replica(),
        *_restore_days(),
        *_unknown_fields(),
    ]


def _api_key_seconds() -> Iterator[CheckMessage]:
    seconds: object = app_settings.api_key_seconds
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= MAX_API_KEY_SECONDS:
        yield Error(
            f"CONVERSATIONS_API_KEY_SECONDS is {seconds!r}, not a number of seconds from 0 to {MAX_API_KEY_SECONDS}.",
            id="conversations.E010",
        )


def _authentication() -> Iterator[CheckMessage]:
    for path in app_settings.authentication_classes:
        try:
            import_string(path)
        except ImportError as error:
            yield Error(f"CONVERSATIONS_AUTHENTICATION_CLASSES: {error}", id="conversations.E001")


def _include() -> Iterator[CheckMessage]:
    for value in app_settings.default_include:
        if value not in INCLUDABLE:
            yield Error(
                f"CONVERSATIONS_DEFAULT_INCLUDE has the unknown value {value!r}.",
                hint=f"Use any of {', '.join(INCLUDABLE)}.",
                id="conversations.E002",
            )


def _item_types() -> Iterator[CheckMessage]:
    longest = Item._meta.get_field("type").max_length or 0
    for item_type in app_settings.extra_item_types:
        if not isinstance(item_type, str) or not 0 < len(item_type) <= longest or not item_type.isprintable():
            yield Error(
                f"CONVERSATIONS_EXTRA_ITEM_TYPES: {item_type!r} is not a name of 1 to {longest} printable characters.",
                id="conversations.E003",
            )
        elif item_type in ITEM_TYPES:
            yield CheckWarning(
                f"CONVERSATIONS_EXTRA_ITEM_TYPES: {item_type!r} is a known type, and is validated as one.",
                id="conversations.W003",
            )


def _body_limit() -> Iterator[CheckMessage]:
    limit = app_settings.max_body_bytes
    if not isinstance(limit, int) or limit < 1:
        yield Error(f"CONVERSATIONS_MAX_BODY_BYTES is {limit!r}, not a number of bytes.", id="conversations.E004")


def _value_limit() -> Iterator[CheckMessage]:
    limit: object = app_settings.max_json_values
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        yield Error(f"CONVERSATIONS_MAX_JSON_VALUES is {limit!r}, not a number of values.", id="conversations.E013")


def _full_text() -> Iterator[CheckMessage]:
    value: object = getattr(settings, "CONVERSATIONS_FULL_TEXT", False)
    if not isinstance(value, bool):
        yield Error(
            f"CONVERSATIONS_FULL_TEXT is {value!r}, neither True nor False, and is taken for False.",
            id="conversations.E008",
        )


def _reading() -> Iterator[CheckMessage]:
    value: object = getattr(settings, "CONVERSATIONS_STAFF_CAN_READ_CONTENT", True)
    if not isinstance(value, bool):
        yield Error(
            f"CONVERSATIONS_STAFF_CAN_READ_CONTENT is {value!r}, neither True nor False, and refuses everyone.",
            id="conversations.E007",
        )


def _replica() -> Iterator[CheckMessage]:
    replica = app_settings.replica
    if not replica:
        return
    if replica == DEFAULT_DB_ALIAS or replica not in connections:
        yield Error(
            f"CONVERSATIONS_REPLICA is {replica!r}, not the alias of another database than the default one.",
            id="conversations.E010",
        )
    elif connections[replica].vendor != "postgresql" or connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        yield Error("CONVERSATIONS_REPLICA needs PostgreSQL, and a streaming replica of it.", id="conversations.E011")
    if "conversations.db.replica.ReplicaRouter" not in settings.DATABASE_ROUTERS:
        yield Error(
            "CONVERSATIONS_REPLICA is set without its router.",
            hint="Add 'conversations.db.replica.ReplicaRouter' to DATABASE_ROUTERS.",
            id="conversations.E012",
        )
    if settings.CACHES["default"]["BACKEND"] in CACHES_OF_ONE_PROCESS:
        yield CheckWarning(
            "CONVERSATIONS_REPLICA is set, but each process has a cache of its own: a caller that another process "
            "answers may not find what they have just written.",
            hint="Let CACHES['default'] be one that all processes share, such as Redis.",
            id="conversations.W010",
        )


def _restore_days() -> Iterator[CheckMessage]:
    days: object = app_settings.restore_days
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= MAX_RESTORE_DAYS:
        yield Error(
            f"CONVERSATIONS_RESTORE_DAYS is {days!r}, not a number of days from 0 to {MAX_RESTORE_DAYS}.",
            id="conversations.E009",
        )


def _unknown_fields() -> Iterator[CheckMessage]:
    if app_settings.unknown_item_fields not in ("keep", "reject"):
        yield Error(
            f"CONVERSATIONS_UNKNOWN_ITEM_FIELDS is {app_settings.unknown_item_fields!r}, neither 'keep' nor 'reject'.",
            id="conversations.E005",
        )


@register(Tags.database)
def check_full_text(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    return [
        CheckWarning(
            f"CONVERSATIONS_FULL_TEXT is on, but nothing in the database {alias!r} is indexed: no text is found there.",
            hint="Run `python manage.py fill_full_text`.",
            id="conversations.W008",
        )
        for alias in databases or ()
        if full_text_enabled(using=alias) and _is_migrated(alias) and _lacks_texts(alias)
    ]


def _is_migrated(alias: str) -> bool:
    return ItemText._meta.db_table in connections[alias].introspection.table_names()


def _lacks_texts(alias: str) -> bool:
    return not ItemText.objects.using(alias).exists() and Item.objects.using(alias).exists()


@register(Tags.database)
def check_packet_size(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """MySQL and MariaDB refuse a statement over `max_allowed_packet`, 16 MiB unless configured."""
    messages: list[CheckMessage] = []
    for alias in databases or ():
        connection = connections[alias]
        if connection.vendor != "mysql":
            continue
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            (packet,) = cursor.fetchone()
        if packet < app_settings.max_body_bytes:
            messages.append(
                CheckWarning(
                    f"max_allowed_packet of the database {alias!r} is {packet} bytes, "
                    f"CONVERSATIONS_MAX_BODY_BYTES is {app_settings.max_body_bytes}: larger requests fail.",
                    hint="Raise the one or lower the other.",
                    id="conversations.W006",
                )
            )
    return messages
