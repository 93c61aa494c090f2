import pytest
from django.db import connection, connections

from conversations.checks import check_settings


def test_default_settings_pass_the_checks():
    assert check_settings() == []


@pytest.mark.parametrize(
    ("setting", "value", "found"),
    [
        ("API_KEY_SECONDS", -1, "conversations.E010"),
        ("API_KEY_SECONDS", 3_601, "conversations.E010"),
        ("API_KEY_SECONDS", "5", "conversations.E010"),
        ("AUTHENTICATION_CLASSES", ["nowhere.Auth"], "conversations.E001"),
        ("DEFAULT_INCLUDE", ["reasoning"], "conversations.E002"),
        ("EXTRA_ITEM_TYPES", ["x" * 65], "conversations.E003"),
        ("EXTRA_ITEM_TYPES", [7], "conversations.E003"),
        ("EXTRA_ITEM_TYPES", ["two\nlines"], "conversations.E003"),
        ("EXTRA_ITEM_TYPES", ["message"], "conversations.W003"),
        ("MAX_BODY_BYTES", 0, "conversations.E004"),
        ("MAX_BODY_BYTES", "1MB", "conversations.E004"),
        ("RESTORE_DAYS", -1, "conversations.E009"),
        ("RESTORE_DAYS", 36_501, "conversations.E009"),
        ("RESTORE_DAYS", "30", "conversations.E009"),
        ("RESTORE_DAYS", True, "conversations.E009"),
        ("STAFF_CAN_READ_CONTENT", "False", "conversations.E007"),
        ("UNKNOWN_ITEM_FIELDS", "drop", "conversations.E005"),
    ],
)
def test_invalid_setting_is_reported(settings, setting, value, found):
    setattr(settings, f"CONVERSATIONS_{setting}", value)
    [message] = check_settings()
    assert message.id == found
    assert setting in message.msg


LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SHARED = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/nowhere"}}
ROUTERS = ["conversations.db.replica.ReplicaRouter"]


@pytest.mark.parametrize(
    ("alias", "routers", "caches", "found"),
    [
        ("nowhere", ROUTERS, SHARED, ["E010"]),
        ("default", ROUTERS, SHARED, ["E010"]),
        ("copy", [], SHARED, ["E012"]),
        ("copy", ROUTERS, LOCAL, ["W010"]),
        ("copy", ROUTERS, SHARED, []),
    ],
)
def test_replica_setting_is_checked_with_its_router_and_cache(settings, alias, routers, caches, found):
    settings.CONVERSATIONS_REPLICA, settings.DATABASE_ROUTERS, settings.CACHES = alias, routers, caches
    connections.databases["copy"] = connections.databases["default"]
    try:
        if alias == "copy" and connection.vendor != "postgresql":
            found = ["E011", *found]
        assert [message.id for message in check_settings()] == [f"conversations.{each}" for each in found]
    finally:
        del connections.databases["copy"]
