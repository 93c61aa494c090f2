"""The process of `serve` that does the periodic work, beside the workers so that no request waits for it."""

import logging
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from threading import Thread

from project.worker import stop_with_parent

TICK_SECONDS = 15  # between two looks at what is due

logger = logging.getLogger("project.server")


def run_periodic_tasks(ready: Connection) -> None:
    """Run periodic tasks until SIGTERM, and write a byte to `ready` when the code is loaded.

    The process was started with every signal to stop blocked. It ignores the ones of a terminal, as workers do.
    """
    signal.signal(signal.SIGTERM, lambda *args: sys.exit())
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Thread(target=stop_with_parent, name="parent", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    import django

    django.setup()
    from django.db import connections

    from conversations.id_clock import follow_database
    from conversations.management.periodic import run_due_tasks

    follow_database()
    ready.send_bytes(b"1")
    while True:
        try:
            run_due_tasks()
        except Exception:  # The database may be away. It will be back.
            logger.exception("The periodic tasks can't be run. Trying again in %d seconds.", TICK_SECONDS)
        finally:
            connections.close_all()
        time.sleep(TICK_SECONDS)
