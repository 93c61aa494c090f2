"""Time-outs for statements and lock waits. They apply to requests only: a command may run for hours."""

from typing import Any

from django.conf import settings
from django.db import connections

NO_LOCK_LIMIT = 1_000_000  # seconds; MariaDB and MySQL have no value for "wait forever"


def limit_statements() -> None:
    """Set the time-outs in the options of every database, for the connections that this process opens."""
    for alias in connections:
        options = connections.settings[alias]["OPTIONS"]
        options.update(_time_out_options(connections[alias].vendor, options))


def _time_out_options(vendor: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the connection options that set the time-outs. Options in DATABASE_URL win; 0 means no limit."""
    statement, lock = settings.DATABASE_STATEMENT_TIMEOUT, settings.DATABASE_LOCK_TIMEOUT
    match vendor:
        case "postgresql" if not settings.DATABASE_POOLER:  # PgBouncer refuses start-up options
            limits = f"-c statement_timeout={round(statement * 1000)} -c lock_timeout={round(lock * 1000)}"
            return {"options": f"{limits} {options.get('options', '')}".strip()}
        case "mysql":
            # MariaDB executes the first versioned comment, MySQL the second. MySQL limits only SELECT statements.
            limits = f"SET SESSION innodb_lock_wait_timeout = {max(1, round(lock)) if lock else NO_LOCK_LIMIT}"
            limits += f" /*M!100100 , max_statement_time = {statement} */"
            limits += f" /*!50708 , max_execution_time = {round(statement * 1000)} */"
            return {"init_command": options.get("init_command", limits)}
        case "sqlite" if lock:
            return {"timeout": lock}
    return {}
