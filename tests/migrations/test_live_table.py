"""New migrations hold no lock for more than a second on a table with a million items, and suit the old code.

The clients keep to the code of the last release: while `migrate` runs, and until each service has been restarted, that
code works on the new tables.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models
from django.db.migrations.executor import MigrationExecutor
from django.test import override_settings

from conversations.management.periodic import TASKS
from tests.docs.pages import ROOT
from tests.live.database import ScratchDatabase
from tests.migrations.live_table import LAST_RELEASE, LiveTable, new_migrations

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="Locks of tables are watched on PostgreSQL."),
]


@pytest.fixture(scope="module")
def _all_apps() -> Iterator[None]:
    """Install the optional app, whose migrations are applied to live tables as well."""
    periodic_tasks = list(TASKS)
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "conversations.responses"]):
        yield
    TASKS[:] = periodic_tasks  # The app has added its own.


@pytest.fixture(scope="module")
def live_table(_all_apps, tmp_path_factory, django_db_blocker) -> Iterator[LiveTable]:
    database = ScratchDatabase(tmp_path_factory.mktemp("live"), django_db_blocker)
    database.create()
    try:
        with database.open() as alias:
            yield LiveTable(alias)
    finally:
        database.drop()


@pytest.mark.usefixtures("_all_apps")
def test_every_app_of_this_project_with_migrations_is_watched():
    folders = {path.parents[1] for path in ROOT.glob("[cp]*/**/migrations/0001_initial.py")}
    assert {config.label for config in apps.get_app_configs() if Path(config.path) in folders} == LAST_RELEASE.keys()
    assert len(folders) == len(LAST_RELEASE)


def sample(*operations: migrations.operations.base.Operation, is_atomic: bool = True) -> migrations.Migration:
    migration = migrations.Migration("sample", "conversations")
    migration.operations = list(operations)
    migration.atomic = is_atomic
    return migration


def try_out(live_table: LiveTable, migration: migrations.Migration) -> list[str]:
    """Apply a migration under load, take it back, and return the faults."""
    state = MigrationExecutor(live_table.connection).loader.project_state(list(LAST_RELEASE.items()))
    before = state.clone()
    with live_table.under_load() as faults, live_table.connection.schema_editor(atomic=migration.atomic) as editor:
        migration.apply(state, editor)
    with live_table.connection.schema_editor(atomic=migration.atomic) as editor:
        migration.unapply(before, editor)
    return faults


def fill_in_batches(apps, schema_editor) -> None:
    conversations = apps.get_model("conversations", "Conversation").objects.using(schema_editor.connection.alias)
    last = ""
    ids = conversations.filter(pk__startswith="conv_000").order_by("pk").values_list("pk", flat=True)
    while batch := list(ids.filter(pk__gt=last)[:500]):
        conversations.filter(pk__in=batch).update(note="")
        last = batch[-1]


SAFE = sample(
    migrations.AddField("conversation", "note", models.TextField(null=True)),
    migrations.RunPython(fill_in_batches, migrations.RunPython.noop),
    migrations.AddField("item", "kind", models.CharField(max_length=20, db_default="", default="")),
    AddIndexConcurrently("item", models.Index(fields=["created_at"], name="sample_created_at")),
    is_atomic=False,
)
REWRITE = sample(migrations.AlterField("item", "position", models.PositiveBigIntegerField()))
# The index of a small table, or one on a fast machine, is soon built: the lock lasts until the end of the transaction.
LONG_LOCK = sample(
    migrations.AddIndex("conversation", models.Index(fields=["created_at"], name="sample_created_at")),
    migrations.RunSQL("SELECT pg_sleep(2)", ""),
)
ONE_UPDATE = sample(
    migrations.RunSQL("UPDATE conversations_conversation SET end_user = 'x' WHERE end_user IS NULL", ""),
    migrations.RunSQL("SELECT pg_sleep(5)", ""),
)
NO_DEFAULT = sample(migrations.AddField("item", "kind", models.CharField(max_length=20, default="")))
REMOVED = sample(
    migrations.RunSQL(
        "ALTER TABLE conversations_item RENAME call_id TO other",
        "ALTER TABLE conversations_item RENAME other TO call_id",
    )
)


def test_safe_sample_has_no_fault(live_table):
    assert try_out(live_table, SAFE) == []


@pytest.mark.parametrize(
    ("migration", "fault"),
    [
        (REWRITE, "AccessExclusiveLock on conversations_item for"),
        (LONG_LOCK, "ShareLock on conversations_conversation for"),
        (ONE_UPDATE, "a client waited for"),
        (NO_DEFAULT, 'a client failed: null value in column "kind"'),
        (REMOVED, 'a client failed: column "call_id"'),
    ],
)
def test_unsafe_sample_has_its_fault(live_table, migration, fault):
    faults = try_out(live_table, migration)
    assert [each for each in faults if each.startswith(fault)], faults


def test_each_migration_after_the_last_release_is_safe(live_table):
    for migration in new_migrations(live_table.connection):
        with live_table.under_load() as faults:
            live_table.migrate(migration)
        assert faults == [], migration
