from contextlib import suppress

import pytest
from django.contrib.auth.models import Permission
from django.db import OperationalError, connection, transaction

from conversations.db.timeouts import QueryTimeout, time_limit

ENDLESS = "SELECT COUNT(*) FROM auth_permission a" + "".join(
    f" JOIN auth_permission {name} ON {name}.id >= 0" for name in "bcdefg"
)


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_statement_beyond_the_time_limit_is_cancelled(db):
    with pytest.raises(QueryTimeout), time_limit(0.3, using="default"):
        execute(ENDLESS)
    assert Permission.objects.exists()


def test_series_of_statements_beyond_the_time_limit_is_cancelled(db):
    results = []
    with pytest.raises(QueryTimeout), time_limit(1, using="default"):
        results += (Permission.objects.exists() for _ in range(1_000_000))
    assert 0 < len(results) < 1_000_000


def test_statements_after_the_block_have_no_time_limit(db):
    with suppress(QueryTimeout), time_limit(0.3, using="default"):
        assert Permission.objects.exists()
    with transaction.atomic():
        slow = " UNION ALL ".join(["SELECT COUNT(*) FROM auth_permission a, auth_permission b, auth_permission c"] * 12)
        execute(slow)
    with pytest.raises(QueryTimeout), time_limit(0, using="default"):
        Permission.objects.exists()
    assert Permission.objects.exists()


def test_other_errors_are_raised_unchanged(db):
    with pytest.raises(OperationalError), time_limit(60, using="default"):
        raise OperationalError(1, "something else")


def test_previous_time_limit_is_restored(db):
    name = {"postgresql": "statement_timeout", "mysql": "@@SESSION.max_statement_time"}.get(connection.vendor)
    if name is None:  # SQLite has no such setting.
        return
    show, change = ("SHOW statement_timeout", "SET LOCAL statement_timeout = '1min'")
    if connection.vendor == "mysql":
        show, change = (f"SELECT {name}", "SET SESSION max_statement_time = 60")
    with connection.cursor() as cursor:
        cursor.execute(change)
        cursor.execute(show)
        before = cursor.fetchone()
        with time_limit(45, using="default"):
            cursor.execute(show)
            assert cursor.fetchone() != before
        cursor.execute(show)
        assert cursor.fetchone() == before
        with pytest.raises(QueryTimeout), time_limit(0.2, using="default"):
            execute(ENDLESS)
        cursor.execute(show)
        assert cursor.fetchone() == before
        if connection.vendor == "mysql":
            cursor.execute("SET SESSION max_statement_time = 0")
