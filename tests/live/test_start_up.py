"""Services that start at once, without migrating, or with another version's database."""

import pytest
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from conversations.models import APIKey
from tests.live.service import Service, free_port, manage

SERVICES = 3


@pytest.fixture
def services(database, tmp_path):
    services = [Service(database, tmp_path) for _ in range(SERVICES)]
    yield services
    for service in services:
        service.kill()


def start_error(database, *arguments):
    """Return the only line that a failing start prints."""
    variables = {**database.variables, "SECRET_KEY": "x"}
    failed = manage("serve", "--port", str(free_port()), "--workers", "1", *arguments, **variables)
    assert (failed.returncode, failed.stdout) == (1, "")
    [line] = failed.stderr.splitlines()
    return line


@pytest.mark.slow
def test_services_that_start_at_once_share_one_empty_or_migrated_database(services, database):
    secrets = []
    for _ in range(2):
        for service in services:
            service.launch()
        for service in services:
            service.wait_until_started()
        secrets += [service.secret for service in services if "Created" in service.stdout]
        for service in services:
            service.stop()
    assert len(secrets) == 1
    with database.open() as alias:
        assert APIKey.objects.using(alias).count() == 1


@pytest.mark.slow
def test_no_migrate_refuses_a_database_that_lacks_migrations_and_starts_on_a_complete_one(service, database):
    assert start_error(database, "--no-migrate").endswith(
        "Run `python manage.py migrate`, or start without --no-migrate."
    )
    assert manage("migrate", **database.variables, SECRET_KEY="x").returncode == 0
    service.start("--no-migrate")
    service.stop()


@pytest.mark.slow
def test_service_whose_code_is_older_than_the_database_does_not_start(database):
    assert manage("migrate", **database.variables, SECRET_KEY="x").returncode == 0
    with database.open() as alias:
        MigrationRecorder(connections[alias]).record_applied("conversations", "9999_from_the_future")
        MigrationRecorder(connections[alias]).record_applied("someone_elses_app", "9999_from_the_future")
    for arguments in ([], ["--no-migrate"]):
        assert start_error(database, *arguments) == (
            "CommandError: This version is older than the database, which has the migrations "
            "conversations.9999_from_the_future. Install the version that made them, or a newer one."
        )
