"""How long a statement, and what it waits for, may take where requests are served; commands may take their time."""

from typing import Any

from django.conf import settings
from django.db import connections


def limit_statements() -> None:
    for alias in connections:
        options = connections.settings[alias]["OPTIONS"]
        options.update(_limited(connections[alias].vendor, options))


def _limited(vendor: str, options: dict[str, Any]) -> dict[str, Any]:
    """0 sets no limit. What the database's URL says goes first."""
    statement, lock = settings.DATABASE_STATEMENT_TIMEOUT, settings.DATABASE_LOCK_TIMEOUT
    match vendor:
        case "postgresql" if not settings.DATABASE_POOLER:  # which would refuse the option
            limits = f"-c statement_timeout={round(statement * 1000)} -c lock_timeout={round(lock * 1000)}"
            return {"options": f"{limits} {options.get('options', '')}".strip()}
        case "mysql":
            # The one comment is SQL to MariaDB, the other to MySQL, where only reads can be limited.
            limits = f"SET SESSION innodb_lock_wait_timeout = {max(1, round(lock)) if lock else 1_000_000}"
            limits += f" /*M!100100 , max_statement_time = {statement} */"
            limits += f" /*!50708 , max_execution_time = {round(statement * 1000)} */"
            return {"init_command": options.get("init_command", limits)}
        case "sqlite" if lock:
            return {"timeout": lock}
    return {}
