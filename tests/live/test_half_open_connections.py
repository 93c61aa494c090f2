"""A database that vanishes without closing its connections: requests get a 503, and the service recovers by itself."""

import os
import socket
import threading
import time
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection, connections

from project.time_limits import TCP_OPTIONS, set_tcp_options, time_out_options
from tests.live.client import Client
from tests.live.faults.documented_run import database_name
from tests.live.faults.stores import running_store
from tests.live.service import WORKERS, Service
from tests.live.silent_proxy import SilentProxy, database_socket
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    connection.vendor == "sqlite" or not {"DATABASE_POOLER", "DATABASE_REPLICA_URL"}.isdisjoint(os.environ),
    reason="only with one server, and without another proxy",
)
needs_user_timeout = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has the option")
CLIENTS = 8 * WORKERS  # more than there are threads
LOCK = "UPDATE counter SET value = value"
LOCK_WAITS = {
    "postgresql": "SELECT COUNT(*) FROM pg_locks WHERE NOT granted",
    "mysql": "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}


@pytest.fixture
def proxy(db):
    proxy = SilentProxy(database_socket())
    yield proxy
    proxy.close()


@pytest.fixture
def service_behind_proxy(database, tmp_path, proxy):
    user, _, _ = urlsplit(database.url).netloc.rpartition("@")
    netloc = f"{user}@127.0.0.1:{proxy.port}" if user else f"127.0.0.1:{proxy.port}"
    url = urlsplit(database.url)._replace(netloc=netloc).geturl()
    limits = {"DATABASE_STATEMENT_TIMEOUT": "1", "DATABASE_LOCK_TIMEOUT": "1"}
    service = Service(database, tmp_path, **limits, DATABASE_URL=url)
    yield service
    service.kill()


def send_at_once(service, number):
    """Return the statuses of parallel requests."""
    statuses = []

    def send():
        client = Client(service.port, service.secret)
        statuses.append(client.post("/conversations")[0])
        client.close()

    threads = [threading.Thread(target=send) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def execute(database, sql):
    with database.cursor() as cursor:
        cursor.execute(sql)


def wait_for_lock(remote):
    with suppress(OperationalError):
        execute(remote, LOCK)


def count_lock_waits(database):
    """Return how many connections to a private server wait for a lock."""
    time.sleep(0.2)  # InnoDB refreshes its table only if nobody has read it for a tenth of a second.
    with database.cursor() as cursor:
        cursor.execute(LOCK_WAITS[database.vendor])
        return cursor.fetchone()[0]


@pytest.mark.slow
def test_silent_database_gives_503_on_every_thread_until_new_connections_work(service_behind_proxy, proxy):
    service_behind_proxy.start()
    while set(send_at_once(service_behind_proxy, CLIENTS)) != {200}:
        pass  # On a busy machine, a statement may take longer than a second.
    proxy.lose_connections()
    assert set(send_at_once(service_behind_proxy, CLIENTS)) == {503}
    proxy.serve_new_connections()
    wait_until(lambda: set(send_at_once(service_behind_proxy, CLIENTS)) == {200})


@needs_user_timeout
def test_kernel_closes_connections_to_a_machine_that_does_not_confirm_data(proxy):
    with closing(connection.copy()) as remote:
        remote.settings_dict |= {"HOST": "127.0.0.1", "PORT": str(proxy.port)}
        remote.settings_dict["OPTIONS"].update(time_out_options(remote.vendor, remote.settings_dict["OPTIONS"]))
        remote.ensure_connection()
        set_tcp_options(connection=remote)
        with socket.socket(fileno=os.dup(remote.connection.fileno())) as link:
            assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == TCP_OPTIONS["tcp_user_timeout"]
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == TCP_OPTIONS["keepalives_idle"]


@pytest.mark.slow
@needs_user_timeout
def test_lost_connections_that_wait_for_a_lock_release_it_within_ten_seconds(django_db_blocker):
    with django_db_blocker.unblock(), running_store(database_name()) as store, ExitStack() as stack:
        direct = connections[store.name]
        execute(direct, "CREATE TABLE counter (value integer)")
        execute(direct, "INSERT INTO counter VALUES (1)")
        holder, *waiters = [stack.enter_context(closing(store.connect_through_proxy())) for _ in range(3)]
        for remote in (holder, *waiters):
            remote.set_autocommit(False)
        execute(holder, LOCK)
        for waiter in waiters:
            thread = threading.Thread(target=wait_for_lock, args=[waiter])
            thread.start()
            stack.callback(thread.join)
        stack.callback(store.proxy.close)  # The threads then get an error.
        wait_until(lambda: count_lock_waits(direct) == len(waiters))
        store.proxy.drop_packets()
        lost_at = time.monotonic()
        execute(direct, LOCK)
        assert time.monotonic() - lost_at < 10
