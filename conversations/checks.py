"""System checks of the settings and, by `migrate` and `check --database`, of each database.

A mistake appears at start, not in the first request. A project may set anything, whatever type `app_settings` declares.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.module_loading import import_string

from conversations.conf import MAX_PAGE_SIZE, app_settings
from conversations.models import Item, ItemText
from conversations.schema.include import INCLUDABLE
from conversations.schema.items import ITEM_TYPES
from conversations.search.item_text import full_text_enabled

MAX_SECONDS = 3_600  # also the longest time that a revoked key may go on working
MAX_BODY_SECONDS = 3_600
MAX_ITEMS_PER_REQUEST = 10_000  # as many ids as every database takes in one statement, with room to spare
MAX_RESTORE_DAYS = 36_500  # 100 years
SINGLE_PROCESS_CACHES = (
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
)
SHARE_CACHE = "Use a cache that all processes share, such as Redis."
RATE = re.compile(r"[1-9]\d{0,5}/(s|sec|m|min|h|hour|d|day)", re.ASCII)


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    return [
        *_check_seconds(),
        *_check_authentication_classes(),
        *_check_body_seconds(),
        *_check_content_security_policy(),
        *_check_default_include(),
        *_check_default_page_size(),
        *_check_extra_item_types(),
        *_check_max_body_bytes(),
        *_check_max_bytes_in_flight(),
        *_check_max_items_per_request(),
        *_check_max_json_values(),
        *_check_booleans(),
        *_check_rate_limit(),
        *_check_replica(),
        *_check_restore_days(),
        *_check_unknown_item_fields(),
        *_check_use_tz(),
        *_check_functions(),
    ]


def _check_seconds() -> Iterator[CheckMessage]:
    api_key: object = app_settings.api_key_seconds
    poll: object = app_settings.poll_seconds
    for name, seconds, number in (("API_KEY", api_key, "E010"), ("POLL", poll, "E023")):
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds <= MAX_SECONDS:
            text = f"CONVERSATIONS_{name}_SECONDS is {seconds!r}, not a number of seconds from 0 to {MAX_SECONDS}."
            yield Error(text, id=f"conversations.{number}")


def _check_authentication_classes() -> Iterator[CheckMessage]:
    for path in app_settings.authentication_classes:
        try:
            import_string(path)
        except ImportError as error:
            yield Error(f"CONVERSATIONS_AUTHENTICATION_CLASSES: {error}", id="conversations.E001")


def _check_body_seconds() -> Iterator[CheckMessage]:
    seconds: object = app_settings.body_seconds
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= MAX_BODY_SECONDS:
        yield Error(
            f"CONVERSATIONS_BODY_SECONDS is {seconds!r}, not a number of seconds above 0 and up to {MAX_BODY_SECONDS}.",
            id="conversations.E019",
        )


def _check_content_security_policy() -> Iterator[CheckMessage]:
    policy: object = app_settings.content_security_policy
    if policy is not None and not (isinstance(policy, dict) and all(map(_is_directive, policy.items()))):
        yield Error(
            f"CONVERSATIONS_CONTENT_SECURITY_POLICY is {policy!r}, not None or a dictionary of directives.",
            hint="""Write it as Django's SECURE_CSP: {"default-src": ["'none'"], "script-src": ["'self'"], …}.""",
            id="conversations.E020",
        )


def _is_directive(item: tuple[object, object]) -> bool:
    """Whether it is the name of a directive with its sources: one, several, or True or False to switch it on or off."""
    name, sources = item
    if isinstance(sources, list | tuple | set):
        return isinstance(name, str) and all(isinstance(source, str) for source in sources)
    return isinstance(name, str) and isinstance(sources, str | bool | None)


def _check_default_include() -> Iterator[CheckMessage]:
    for value in app_settings.default_include:
        if value not in INCLUDABLE:
            yield Error(
                f"CONVERSATIONS_DEFAULT_INCLUDE has the unknown value {value!r}.",
                hint=f"Use any of {', '.join(INCLUDABLE)}.",
                id="conversations.E002",
            )


def _check_default_page_size() -> Iterator[CheckMessage]:
    size: object = app_settings.default_page_size
    if not _is_integer(size, minimum=1, maximum=MAX_PAGE_SIZE):
        yield Error(
            f"CONVERSATIONS_DEFAULT_PAGE_SIZE is {size!r}, not a number of rows from 1 to {MAX_PAGE_SIZE}.",
            id="conversations.E015",
        )


def _check_extra_item_types() -> Iterator[CheckMessage]:
    max_length = Item._meta.get_field("type").max_length or 0
    for item_type in app_settings.extra_item_types:
        if not isinstance(item_type, str) or not 0 < len(item_type) <= max_length or not item_type.isprintable():
            yield Error(
                f"CONVERSATIONS_EXTRA_ITEM_TYPES: {item_type!r} is not 1 to {max_length} printable characters.",
                id="conversations.E003",
            )
        elif item_type in ITEM_TYPES:
            yield CheckWarning(
                f"CONVERSATIONS_EXTRA_ITEM_TYPES: {item_type!r} is a built-in type and is validated as such.",
                id="conversations.W003",
            )


def _check_max_body_bytes() -> Iterator[CheckMessage]:
    limit: object = app_settings.max_body_bytes
    if not _is_integer(limit, minimum=1):
        yield Error(f"CONVERSATIONS_MAX_BODY_BYTES is {limit!r}, not a number of bytes.", id="conversations.E004")


def _check_max_bytes_in_flight() -> Iterator[CheckMessage]:
    limit: object = app_settings.max_bytes_in_flight
    max_body_bytes: object = app_settings.max_body_bytes
    minimum = max_body_bytes if isinstance(max_body_bytes, int) else 1
    if not _is_integer(limit, minimum=minimum):
        yield Error(
            f"CONVERSATIONS_MAX_BYTES_IN_FLIGHT is {limit!r}, not a number of bytes of at least "
            f"CONVERSATIONS_MAX_BODY_BYTES, which is {max_body_bytes!r}.",
            id="conversations.E018",
        )


def _check_max_items_per_request() -> Iterator[CheckMessage]:
    limit: object = app_settings.max_items_per_request
    if not _is_integer(limit, minimum=1, maximum=MAX_ITEMS_PER_REQUEST):
        yield Error(
            f"CONVERSATIONS_MAX_ITEMS_PER_REQUEST is {limit!r}, not a number from 1 to {MAX_ITEMS_PER_REQUEST}.",
            id="conversations.E016",
        )


def _check_max_json_values() -> Iterator[CheckMessage]:
    limit: object = app_settings.max_json_values
    if not _is_integer(limit, minimum=1):
        yield Error(f"CONVERSATIONS_MAX_JSON_VALUES is {limit!r}, not a number of values.", id="conversations.E013")


def _check_booleans() -> Iterator[CheckMessage]:
    # `app_settings` replaces any value but True by False.
    for name, default, effect, check_id in (
        ("CONVERSATIONS_FULL_TEXT", False, "Full-text search stays off.", "conversations.E008"),
        ("CONVERSATIONS_STAFF_CAN_READ_CONTENT", True, "Nobody can read content.", "conversations.E007"),
    ):
        value: object = getattr(settings, name, default)
        if not isinstance(value, bool):
            yield Error(f"{name} is {value!r}, not True or False. {effect}", id=check_id)


def _check_rate_limit() -> Iterator[CheckMessage]:
    rate: object = app_settings.rate_limit
    if rate and not (isinstance(rate, str) and RATE.fullmatch(rate)):
        text = f"CONVERSATIONS_RATE_LIMIT is {rate!r}, not requests per s, min, hour or day, such as '600/min'."
        yield Error(text, id="conversations.E022")
    elif rate and settings.CACHES["default"]["BACKEND"] in SINGLE_PROCESS_CACHES:
        text = "CONVERSATIONS_RATE_LIMIT is set, but each process counts for itself in CACHES['default']."
        yield CheckWarning(text, hint=SHARE_CACHE, id="conversations.W011")


def _check_replica() -> Iterator[CheckMessage]:
    replica = app_settings.replica
    if not replica:
        return
    if replica == DEFAULT_DB_ALIAS or replica not in connections:
        yield Error(
            f"CONVERSATIONS_REPLICA is {replica!r}, not the alias of a database other than the default one.",
            id="conversations.E014",
        )
    elif connections[replica].vendor != "postgresql" or connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        yield Error("CONVERSATIONS_REPLICA requires PostgreSQL and a streaming replica of it.", id="conversations.E011")
    if "conversations.db.replica.ReplicaRouter" not in settings.DATABASE_ROUTERS:
        yield Error(
            "CONVERSATIONS_REPLICA is set, but its database router is not.",
            hint="Add 'conversations.db.replica.ReplicaRouter' to DATABASE_ROUTERS.",
            id="conversations.E012",
        )
    if settings.CACHES["default"]["BACKEND"] in SINGLE_PROCESS_CACHES:
        yield CheckWarning(
            "CONVERSATIONS_REPLICA is set, but CACHES['default'] is not shared between processes: a request may not "
            "find rows that the same user has just written through another process.",
            hint=SHARE_CACHE,
            id="conversations.W010",
        )


def _check_restore_days() -> Iterator[CheckMessage]:
    days: object = app_settings.restore_days
    if not _is_integer(days, minimum=0, maximum=MAX_RESTORE_DAYS):
        yield Error(
            f"CONVERSATIONS_RESTORE_DAYS is {days!r}, not a number of days from 0 to {MAX_RESTORE_DAYS}.",
            id="conversations.E009",
        )


def _check_unknown_item_fields() -> Iterator[CheckMessage]:
    if app_settings.unknown_item_fields not in ("keep", "reject"):
        yield Error(
            f"CONVERSATIONS_UNKNOWN_ITEM_FIELDS is {app_settings.unknown_item_fields!r}, not 'keep' or 'reject'.",
            id="conversations.E005",
        )


def _check_use_tz() -> Iterator[CheckMessage]:
    if not settings.USE_TZ:
        yield Error(
            "USE_TZ is False, but conversations and items have times with a time zone, as their ids do.",
            hint="Set USE_TZ = True. The time zone chapter of Django's documentation has a migration guide.",
            id="conversations.E017",
        )


def _check_functions() -> Iterator[CheckMessage]:
    redactors: Any = app_settings.redactors
    paths = redactors if isinstance(redactors, list | tuple) else [[redactors]]
    named: Any = [*(("REDACTORS", each, "E024") for each in paths), ("VISIBLE_TO", app_settings.visible_to, "E021")]
    for name, path, number in named:
        with suppress(AttributeError, ImportError):
            if (name, path) == ("VISIBLE_TO", "") or callable(import_string(path)):
                continue
        yield Error(f"CONVERSATIONS_{name}: {path!r} is not the path of a function.", id=f"conversations.{number}")


@register(Tags.database)
def check_full_text_index(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of each database whose items were stored before full-text search was turned on, and are not indexed."""
    return [
        CheckWarning(
            f"CONVERSATIONS_FULL_TEXT is on, but the database {alias!r} has items and no full-text index of them.",
            hint="Run `python manage.py fill_full_text`.",
            id="conversations.W008",
        )
        for alias in databases or ()
        if full_text_enabled(using=alias) and _is_migrated(alias) and _is_index_missing(alias)
    ]


def _is_migrated(alias: str) -> bool:
    """Whether the table of the index exists; checks run before `migrate` creates it."""
    return ItemText._meta.db_table in connections[alias].introspection.table_names()


def _is_index_missing(alias: str) -> bool:
    """Whether there are items, and the index has no row for any of them."""
    return not ItemText.objects.using(alias).exists() and Item.objects.using(alias).exists()


@register(Tags.database)
def check_packet_size(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn if a request may exceed `max_allowed_packet` of MySQL or MariaDB, by default 16 MiB for each statement."""
    messages: list[CheckMessage] = []
    for alias in (alias for alias in databases or () if connections[alias].vendor == "mysql"):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            (packet,) = cursor.fetchone()
        if packet < app_settings.max_body_bytes:
            text = (
                f"max_allowed_packet of the database {alias!r} is {packet} bytes and "
                f"CONVERSATIONS_MAX_BODY_BYTES is {app_settings.max_body_bytes}: larger requests fail."
            )
            hint = "Raise max_allowed_packet or lower CONVERSATIONS_MAX_BODY_BYTES."
            messages.append(CheckWarning(text, hint=hint, id="conversations.W006"))
    return messages


def _is_integer(value: object, *, minimum: int, maximum: float = inf) -> bool:
    """Whether it is an integer in these bounds. Python's booleans are integers too, but a mistake here."""
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum
