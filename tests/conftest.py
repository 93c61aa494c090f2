import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from hypothesis import HealthCheck, settings

from conversations import ids
from conversations.admin.list.change_list import ConversationChangeList
from conversations.conf import app_settings
from conversations.models import APIKey
from tests.asgi_client import ASGIClientHandler
from tests.live.service import Service, running_service
from tests.queries import load_content_types
from tests.waiting import SECONDS

TESTS = Path(__file__).parent
FEW = 4  # files or tests on the command line
NODE_PACKAGES = ("openai@^7", "@openai/agents@^0.20", "typescript@>=5", "zod@^4")

# HYPOTHESIS_PROFILE=thorough, or `--hypothesis-profile thorough`, tries many more examples, each time others.
settings.register_profile(
    "quick", deadline=None, derandomize=True, max_examples=20, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", settings.get_profile("quick"), derandomize=False, max_examples=1_000, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run few tests in one process, sooner than several would have started, and with their output and debugger.

    Otherwise there is one process more than there are cores, since tests of a browser or a running service often wait.
    """
    options = ("keyword", "lf", "stepwise", "trace")
    has_option = config.option.capture == "no" or any(config.getoption(name, None) for name in options)
    return 0 if _has_few(config) or has_option else len(os.sched_getaffinity(0)) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run slow tests too, as `-m` and the names of few files do")


def pytest_configure(config: pytest.Config) -> None:
    if not (config.option.slow or config.option.markexpr or _has_few(config)):
        config.option.markexpr = "not slow"


def _has_few(config: pytest.Config) -> bool:
    return len(config.args) <= FEW and all(".py" in argument for argument in config.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder == "browser":
            item.add_marker(pytest.mark.browser)
        elif folder in ("live", "responses") or not {"live_service", "service"}.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.live)
    if app_settings.replica or hasattr(django_settings, "OTHER_ALIAS"):
        _adapt_to_other_alias(config, items)


def _adapt_to_other_alias(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adapt the tests to a replica, or to `tests.host.other_alias_settings`.

    A replica has only committed rows, so tests commit. Query counts cover the default database, so tests that count are
    deselected.
    """
    counting_tests = [item for item in items if "django_assert_num_queries" in item.fixturenames]
    config.hook.pytest_deselected(items=counting_tests)
    items[:] = [item for item in items if item not in counting_tests]
    for item in items:
        own = item.get_closest_marker("django_db")
        is_committed = bool(app_settings.replica or (own and own.kwargs.get("transaction")))
        marker = pytest.mark.django_db(transaction=is_committed, databases="__all__")
        if own or not {"db", "transactional_db"}.isdisjoint(item.fixturenames):
            item.add_marker(marker, append=False)


@pytest.fixture(autouse=True, scope="session")
def _long_query_budget() -> None:
    """Raise the admin list's time budget, so that results do not depend on how busy the machine is."""
    ConversationChangeList.max_seconds = ConversationChangeList.max_count_seconds = 600


@pytest.fixture(autouse=True)
def _clock_of_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test does to the clock of ids, which follows the database and never goes back."""
    monkeypatch.setattr(ids, "_last_ns", 0)


@pytest.fixture(autouse=True, scope="session")
def _asgi_client() -> Iterator[None]:
    """Send the requests of Django's test client through its ASGI handler, under `tests.host.asgi_settings`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if hasattr(django_settings, "USES_ASGI"):
            monkeypatch.setattr("django.test.client.ClientHandler", ASGIClientHandler)
        yield


@pytest.fixture
def django_assert_num_queries(db: None, django_assert_num_queries: Callable[..., Any]) -> Callable[..., Any]:
    load_content_types()
    return django_assert_num_queries


@pytest.fixture
def alice(db) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def bob(db) -> User:
    return User.objects.create_user("bob")


@pytest.fixture
def alice_secret(alice) -> str:
    return APIKey.create(user=alice)[1]


@pytest.fixture
def bob_secret(bob) -> str:
    return APIKey.create(user=bob)[1]


@pytest.fixture(scope="session")
def live_service(tmp_path_factory, django_db_blocker) -> Iterator[Service]:
    """A running service that tests share. A test must not stop it or change data of other tests."""
    directory = tmp_path_factory.mktemp("live")
    with running_service(directory, django_db_blocker, CONVERSATIONS_MAX_BODY_BYTES="1000000") as service:
        yield service


@pytest.fixture(scope="session")
def node_directory(pytestconfig: pytest.Config) -> Path:
    """Return a directory with OpenAI's SDKs for JavaScript."""
    return install_node_packages(pytestconfig, "openai-javascript", NODE_PACKAGES)


def install_node_packages(config: pytest.Config, name: str, packages: Sequence[str]) -> Path:
    """Return a directory with the packages; pytest's cache keeps it, because installation is slow."""
    if not shutil.which("npm"):
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("npm is not installed")
    directory = config.cache.mkdir(name)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Processes of pytest-xdist share the cache.
        if not all((directory / "node_modules" / package.rpartition("@")[0]).exists() for package in packages):
            install = ["npm", "install", *packages, "--no-audit", "--no-fund", "--prefix", str(directory)]
            subprocess.run(install, check=True, capture_output=True, timeout=SECONDS)
    return directory
