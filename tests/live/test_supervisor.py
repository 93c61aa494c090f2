"""The main process replaces workers that die and workers with old code, and they end with it."""

import http.client
import os
import resource
import signal
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from project.server import bind
from project.supervisor import EARLY_SECONDS, Slot
from tests.live.service import ROOT, WORKERS, Service, free_port, manage
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's table of processes")
DEATHS = 3
FEW_FILES = 6  # The main process has more open files than that, and waits for fewer.

MIDDLEWARE = """
from django.http import HttpResponse

def add_version(get_response):
    def respond(request):
        response = get_response(request)
        response["x-version"] = "{version}"
        return response
    return respond
"""


class Project:
    """A settings module and a middleware of the operator's own, whose code changes while the service runs."""

    def __init__(self, directory: Path) -> None:
        self.variables = {"PYTHONPATH": f"{directory}:{ROOT}", "DJANGO_SETTINGS_MODULE": "own_settings"}
        self._middleware = directory / "own_middleware.py"
        (directory / "own_settings.py").write_text(
            'from project.settings import *\nMIDDLEWARE = ["own_middleware.add_version", *MIDDLEWARE]\n'
        )

    def write_version(self, version: str) -> None:
        """Write code that answers with the version. Python compiles it again if its length differs."""
        self._middleware.write_text(MIDDLEWARE.format(version=version))

    def write_death(self) -> None:
        """Write code whose first worker is killed while it loads. The main process loads it for the system checks."""
        flag = self._middleware.with_name("killed")
        code = "import os, signal, pathlib\nfrom multiprocessing import parent_process\n"
        code += f"flag = pathlib.Path({str(flag)!r})\nif parent_process() and not flag.exists():\n"
        code += "    flag.touch()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        self._middleware.write_text(code + MIDDLEWARE.format(version="1"))

    def write_error(self) -> None:
        self._middleware.write_text("import nowhere\n")


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def own_service(database, tmp_path, project):
    service = Service(database, tmp_path, **project.variables)
    yield service
    service.kill()


def has_ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def read_version(service: Service) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=300)
    try:
        connection.request("GET", "/v1/conversations")
        response = connection.getresponse()
        response.read()
        assert response.status == 401
        return response.getheader("x-version")
    finally:
        connection.close()


@contextmanager
def constant_requests(service: Service):
    """Send requests, with a new connection for each, and yield the versions that answered and the errors."""
    versions, errors = [], []
    is_over = threading.Event()

    def send():
        while not is_over.is_set():
            try:
                versions.append(read_version(service))
            except (OSError, http.client.HTTPException) as error:
                errors.append(error)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield versions, errors
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
def test_worker_that_dies_again_and_again_is_replaced(service):
    service.start()
    for _ in range(DEATHS):
        [victim, *_] = service.workers
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda gone=victim: gone not in service.workers and len(service.workers) == WORKERS)
    victims = service.workers
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    wait_until(lambda: all(map(has_ended, victims)))
    assert read_version(service) is None  # The connection waits for a worker.
    wait_until(lambda: len(service.workers) == WORKERS)
    assert service.stderr.count("died (SIGKILL)") == DEATHS + WORKERS
    service.interrupt()
    assert service.wait() == 0


def test_pauses_grow_with_early_deaths_and_end_with_a_long_life():
    port = free_port()
    slot = Slot(0, bind("127.0.0.1", port, workers=1)[0])
    assert [slot.pause(lived=1) for _ in range(7)] == [0, 1, 2, 4, 8, 8, 8]
    assert [slot.pause(lived=EARLY_SECONDS), slot.pause(lived=1)] == [0, 1]
    with pytest.raises(OSError, match="Address already in use"):
        bind("127.0.0.1", port, workers=1)
    slot.socket.close()


@pytest.mark.slow
def test_workers_end_with_their_parent_and_free_the_port(service):
    service.start()
    workers = service.workers
    service.kill_main_process()
    wait_until(lambda: all(map(has_ended, workers)))
    assert service.is_refusing_connections()
    service.start()
    service.stop()


@pytest.mark.slow
def test_sighup_loads_new_code_without_a_refused_connection(own_service, project):
    project.write_version("1")
    own_service.start()
    workers = own_service.workers
    project.write_version("22")
    with constant_requests(own_service) as (versions, errors):
        own_service.reload()
        wait_until(lambda: all(map(has_ended, workers)))
        enough = len(versions) + 20
        wait_until(lambda: len(versions) > enough)
    assert errors == []
    assert set(versions) == {"1", "22"}
    assert versions[-1] == "22"
    assert len(own_service.workers) == WORKERS
    own_service.stop()


@pytest.mark.slow
def test_new_code_that_does_not_load_leaves_the_old_workers_serving(own_service, project):
    project.write_version("1")
    own_service.start()
    workers = own_service.workers
    project.write_error()
    own_service.reload()
    wait_until(lambda: "The service goes on with the old code." in own_service.stderr)
    assert own_service.workers == workers
    assert read_version(own_service) == "1"
    project.write_version("333")
    own_service.reload()
    wait_until(lambda: all(map(has_ended, workers)))
    assert read_version(own_service) == "333"


@pytest.mark.slow
def test_service_whose_application_never_loads_ends(database, project):
    project.write_error()
    failed = manage(
        "serve", "--port", str(free_port()), "--workers", "1", **database.variables, **project.variables, SECRET_KEY="x"
    )
    assert failed.returncode == 1
    assert "No module named 'nowhere'" in failed.stderr
    assert failed.stderr.endswith("No worker process could start. Stopping.\n")


@pytest.mark.slow
def test_worker_that_is_killed_while_it_loads_is_replaced(own_service, project):
    project.write_death()
    own_service.start("--workers", "1")
    assert own_service.stderr.count("died (SIGKILL)") == 1
    assert read_version(own_service) == "1"
    own_service.interrupt()
    assert own_service.wait() == 0


@pytest.mark.slow
def test_main_process_without_file_handles_starts_workers_when_it_has_some_again(service):
    service.start("--workers", "1")
    [worker] = service.workers
    limits = resource.prlimit(service.session, resource.RLIMIT_NOFILE)
    resource.prlimit(service.session, resource.RLIMIT_NOFILE, (FEW_FILES, limits[1]))
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: "can't be started: [Errno 24]" in service.stderr)
    resource.prlimit(service.session, resource.RLIMIT_NOFILE, limits)
    wait_until(lambda: len(service.workers) == 1)
    assert read_version(service) is None
    service.interrupt()
    assert service.wait() == 0


@pytest.mark.parametrize(("workers", "is_kept"), [(2, True), (1, False)])
def test_workers_stay_on_a_core_each_if_they_are_as_many(workers, is_kept, service):
    allowed = os.sched_getaffinity(0)
    cores = set(sorted(allowed)[:2])
    if len(cores) < 2:
        pytest.skip("The machine has one core.")
    os.sched_setaffinity(0, cores)
    try:
        service.start("--workers", str(workers))
    finally:
        os.sched_setaffinity(0, allowed)
    kept = [os.sched_getaffinity(worker) for worker in service.workers]
    assert sorted(kept, key=min) == ([{core} for core in sorted(cores)] if is_kept else [cores])
