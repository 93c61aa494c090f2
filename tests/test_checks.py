import re
from pathlib import Path

import pytest
from django.db import connection, connections

import conversations
from conversations.checks import check_settings


def test_each_check_id_is_used_once():
    sources = [path.read_text() for path in Path(conversations.__file__).parent.rglob("*.py")]
    check_ids = [check_id for source in sources for check_id in re.findall(r"\bconversations\.[CDEIW]\d{3}\b", source)]
    assert len(check_ids) > 10
    assert sorted(check_ids) == sorted(set(check_ids))


def test_default_settings_pass_the_checks():
    assert check_settings() == []


@pytest.mark.parametrize(
    ("setting", "value", "check_id"),
    [
        ("API_KEY_SECONDS", -1, "conversations.E010"),
        ("API_KEY_SECONDS", 3_601, "conversations.E010"),
        ("API_KEY_SECONDS", "5", "conversations.E010"),
        ("AUTHENTICATION_CLASSES", ["nowhere.Auth"], "conversations.E001"),
        ("POLL_SECONDS", -1, "conversations.E023"),
        ("POLL_SECONDS", 3_601, "conversations.E023"),
        ("POLL_SECONDS", "20", "conversations.E023"),
        ("BODY_SECONDS", 0, "conversations.E019"),
        ("BODY_SECONDS", 3_601, "conversations.E019"),
        ("BODY_SECONDS", "60", "conversations.E019"),
        ("CONTENT_SECURITY_POLICY", "default-src 'self'", "conversations.E020"),
        ("CONTENT_SECURITY_POLICY", False, "conversations.E020"),
        ("CONTENT_SECURITY_POLICY", ["default-src"], "conversations.E020"),
        ("CONTENT_SECURITY_POLICY", {"default-src": 1}, "conversations.E020"),
        ("CONTENT_SECURITY_POLICY", {"default-src": ["'self'", None]}, "conversations.E020"),
        ("CONTENT_SECURITY_POLICY", {7: "'self'"}, "conversations.E020"),
        ("DEFAULT_INCLUDE", ["reasoning"], "conversations.E002"),
        ("EXTRA_ITEM_TYPES", ["x" * 65], "conversations.E003"),
        ("EXTRA_ITEM_TYPES", [7], "conversations.E003"),
        ("EXTRA_ITEM_TYPES", ["two\nlines"], "conversations.E003"),
        ("EXTRA_ITEM_TYPES", ["message"], "conversations.W003"),
        ("MAX_BODY_BYTES", 0, "conversations.E004"),
        ("MAX_BODY_BYTES", "1MB", "conversations.E004"),
        ("MAX_BODY_BYTES", True, "conversations.E004"),
        ("MAX_BYTES_IN_FLIGHT", "1MB", "conversations.E018"),
        ("MAX_BYTES_IN_FLIGHT", True, "conversations.E018"),
        ("MAX_BYTES_IN_FLIGHT", 32 * 1024 * 1024 - 1, "conversations.E018"),
        ("MAX_JSON_VALUES", 0, "conversations.E013"),
        ("MAX_JSON_VALUES", "1000", "conversations.E013"),
        ("MAX_JSON_VALUES", True, "conversations.E013"),
        ("DEFAULT_PAGE_SIZE", 0, "conversations.E015"),
        ("DEFAULT_PAGE_SIZE", 101, "conversations.E015"),
        ("DEFAULT_PAGE_SIZE", "20", "conversations.E015"),
        ("DEFAULT_PAGE_SIZE", True, "conversations.E015"),
        ("MAX_ITEMS_PER_REQUEST", 0, "conversations.E016"),
        ("MAX_ITEMS_PER_REQUEST", 10_001, "conversations.E016"),
        ("MAX_ITEMS_PER_REQUEST", "20", "conversations.E016"),
        ("MAX_ITEMS_PER_REQUEST", True, "conversations.E016"),
        ("RATE_LIMIT", "600", "conversations.E022"),
        ("RATE_LIMIT", "0/min", "conversations.E022"),
        ("RATE_LIMIT", "600/month", "conversations.E022"),
        ("RATE_LIMIT", 600, "conversations.E022"),
        ("RESTORE_DAYS", -1, "conversations.E009"),
        ("RESTORE_DAYS", 36_501, "conversations.E009"),
        ("RESTORE_DAYS", "30", "conversations.E009"),
        ("RESTORE_DAYS", True, "conversations.E009"),
        ("STAFF_CAN_READ_CONTENT", "False", "conversations.E007"),
        ("REDACTORS", "tests.redactors.hide_numbers", "conversations.E024"),
        ("REDACTORS", ["tests.redactors.missing"], "conversations.E024"),
        ("REDACTORS", [1], "conversations.E024"),
        ("VISIBLE_TO", "tests.visibility", "conversations.E021"),
        ("VISIBLE_TO", "tests.visibility.missing", "conversations.E021"),
        ("VISIBLE_TO", 1, "conversations.E021"),
        ("UNKNOWN_ITEM_FIELDS", "drop", "conversations.E005"),
    ],
)
def test_invalid_setting_is_reported(settings, setting, value, check_id):
    setattr(settings, f"CONVERSATIONS_{setting}", value)
    [message] = check_settings()
    assert message.id == check_id
    assert setting in message.msg


@pytest.mark.parametrize(
    "policy",
    [None, {}, {"img-src": ["'self'", "data:"], "script-src": {"'self'"}, "sandbox": True, "font-src": "data:"}],
)
def test_every_form_of_a_content_security_policy_passes_the_checks(settings, policy):
    settings.CONVERSATIONS_CONTENT_SECURITY_POLICY = policy
    assert check_settings() == []


def test_times_without_time_zones_are_reported(settings):
    settings.USE_TZ = False
    [message] = check_settings()
    assert (message.id, "USE_TZ" in message.msg) == ("conversations.E017", True)


LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SHARED = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/nowhere"}}
ROUTERS = ["conversations.db.replica.ReplicaRouter"]


@pytest.mark.parametrize(
    ("alias", "routers", "caches", "check_ids"),
    [
        ("nowhere", ROUTERS, SHARED, ["E014"]),
        ("default", ROUTERS, SHARED, ["E014"]),
        ("copy", [], SHARED, ["E012"]),
        ("copy", ROUTERS, LOCAL, ["W010"]),
        ("copy", ROUTERS, SHARED, []),
    ],
)
def test_replica_setting_is_checked_with_its_router_and_cache(settings, alias, routers, caches, check_ids):
    settings.CONVERSATIONS_REPLICA, settings.DATABASE_ROUTERS, settings.CACHES = alias, routers, caches
    connections.databases["copy"] = connections.databases["default"]
    try:
        if alias == "copy" and connection.vendor != "postgresql":
            check_ids = ["E011", *check_ids]
        assert [message.id for message in check_settings()] == [f"conversations.{check_id}" for check_id in check_ids]
    finally:
        del connections.databases["copy"]


@pytest.mark.parametrize(("caches", "check_ids"), [("LOCAL", ["conversations.W011"]), ("SHARED", [])])
def test_rate_limit_needs_a_shared_cache(settings, caches, check_ids):
    settings.CONVERSATIONS_RATE_LIMIT, settings.CACHES = "600/min", {"LOCAL": LOCAL, "SHARED": SHARED}[caches]
    assert [message.id for message in check_settings()] == check_ids
