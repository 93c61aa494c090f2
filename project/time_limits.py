"""Time-outs for statements, lock waits and answers. They apply to requests only: a command may run for hours."""

import math
import os
import socket
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created

NO_LOCK_LIMIT = 1_000_000  # seconds; MariaDB and MySQL have no value for "wait forever"
ANSWER_SECONDS = 5  # that an answer may take beyond the time-outs of the database itself
# The kernel closes a connection whose other side has confirmed no data, or has given no sign of life, for four seconds.
# The server gets the same options, so that a lost connection soon releases the locks of its transaction. One that waits
# for a lock may still get it within DATABASE_LOCK_TIMEOUT, and then keeps it for four seconds: nine in all by default,
# however many lost connections wait in a row.
TCP_OPTIONS = {"tcp_user_timeout": 4_000, "keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3}
IDLE_SECONDS = 4  # that a transaction may wait for its next statement on MariaDB, whose server has no such options
SERVER_NAMES = {name: f"tcp_{name}" for name in TCP_OPTIONS if name.startswith("keepalives")}


def limit_statements() -> None:
    """Set the time-outs in the options of every database, for the connections that this process opens."""
    for alias in connections:
        options = connections.settings[alias]["OPTIONS"]
        options.update(time_out_options(connections[alias].vendor, options))
    connection_created.connect(set_tcp_options, dispatch_uid="project.time_limits")


def time_out_options(vendor: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the connection options that set the time-outs. Options in DATABASE_URL win; 0 means no limit."""
    statement, lock = settings.DATABASE_STATEMENT_TIMEOUT, settings.DATABASE_LOCK_TIMEOUT
    answer = max(statement, lock) + ANSWER_SECONDS if statement else None
    match vendor:
        case "postgresql":
            deadlines = {"answer_seconds": answer, **TCP_OPTIONS} | options
            if settings.DATABASE_POOLER:  # PgBouncer refuses start-up options
                return deadlines
            limits = f"-c statement_timeout={round(statement * 1000)} -c lock_timeout={round(lock * 1000)}"
            limits += "".join(f" -c {SERVER_NAMES.get(name, name)}={value}" for name, value in TCP_OPTIONS.items())
            return {**deadlines, "options": f"{limits} {options.get('options', '')}".strip()}
        case "mysql":
            # MariaDB executes the first versioned comment, MySQL the second. MySQL limits only SELECT statements.
            limits = f"SET SESSION innodb_lock_wait_timeout = {max(1, round(lock)) if lock else NO_LOCK_LIMIT}"
            limits += f" /*M!100100 , max_statement_time = {statement} */"
            limits += f" /*M!100300 , idle_transaction_timeout = {IDLE_SECONDS} */"
            limits += f" /*!50708 , max_execution_time = {round(statement * 1000)} */"
            deadlines = dict.fromkeys(("read_timeout", "write_timeout"), math.ceil(answer)) if answer else {}
            return {"init_command": limits, **deadlines} | options
        case "sqlite" if lock:
            return {"timeout": lock}
    return {}


def set_tcp_options(*, connection: Any, **kwargs: Any) -> None:
    """Set for MariaDB and MySQL what libpq sets by `TCP_OPTIONS`, as far as the operating system has the options."""
    if connection.vendor != "mysql":
        return
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as link:
        if link.family == socket.AF_UNIX:
            return
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, key in (
            ("TCP_USER_TIMEOUT", "tcp_user_timeout"),
            ("TCP_KEEPIDLE", "keepalives_idle"),
            ("TCP_KEEPINTVL", "keepalives_interval"),
            ("TCP_KEEPCNT", "keepalives_count"),
        ):
            if option := getattr(socket, name, None):
                link.setsockopt(socket.IPPROTO_TCP, option, TCP_OPTIONS[key])
