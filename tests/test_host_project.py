from collections.abc import Iterator

import pytest
from django.db import connection

from tests.host.run import run_in_host, run_python
from tests.live.database import ScratchDatabase


@pytest.fixture
def database_url(tmp_path, django_db_blocker) -> Iterator[str]:
    """The URL of a new database for a project, on the engine that the suite runs on."""
    database = ScratchDatabase(tmp_path, django_db_blocker)
    database.create()
    yield database.url
    database.drop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "module"),
    [
        ("tests.host.settings", "tests.host.try_chunked"),
        ("tests.host.settings", "tests.host.try_it"),
        ("tests.host.settings", "tests.host.try_orm"),
        ("tests.host.members_settings", "tests.host.try_members"),
        ("tests.host.naive_settings", "tests.host.try_naive"),
        ("tests.host.notes_settings", "tests.host.try_notes"),
        ("tests.host.tokens_settings", "tests.host.try_tokens"),
    ],
)
def test_app_works_inside_another_project(database_url, settings, module):
    run_in_host(settings, module, HOST_DATABASE_URL=database_url)


@pytest.mark.slow
def test_app_works_without_a_default_database():
    run_in_host("tests.host.two_aliases_settings", "tests.host.try_two_aliases")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_description_of_another_project_includes_the_app_without_warnings(version):
    run_in_host("tests.host.spectacular_settings", "tests.host.try_spectacular", OAS_VERSION=version)


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "postgresql", reason="django-tenants needs PostgreSQL's schemas")
def test_tenants_do_not_accept_the_keys_of_each_other(database_url):
    run_in_host("tests.host.tenants_settings", "tests.host.try_tenants", HOST_DATABASE_URL=database_url)


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "sqlite", reason="takes long; `.ci/run --full` tests more of the suite so")
def test_verbs_and_api_work_in_a_database_that_is_not_the_default_one():
    writing = ("add_items", "create_conversation", "delete_conversation", "delete_item", "update_conversation")
    files = ["tests/models", *(f"tests/api/test_{name}.py" for name in writing)]
    options = ["-m", "pytest", "-n", "0", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    run_python(*options, *files, DJANGO_SETTINGS_MODULE="tests.host.other_alias_settings")
