"""The lines of the log: one per request (`LOG_REQUESTS`), and every line as JSON (`LOG_FORMAT=json`)."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from project.observation import RequestFacts

logger = logging.getLogger("project.requests")


class JSONFormatter(logging.Formatter):
    """A line of JSON per record, with the members that the record was logged with as `extra={"members": {…}}`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "members", {}),
        }
        if record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line)  # not orjson, which refuses lone surrogates


def log_request(facts: RequestFacts) -> None:
    milliseconds = round(facts.seconds * 1000, 1)
    members = {
        "request_id": facts.request_id,
        "key": facts.key,
        "method": facts.method,
        "route": facts.route,
        "status": facts.status,
        "ms": milliseconds,
    }
    logger.info(
        "%s %s %d in %s ms, key %s (%s)",
        facts.method,
        facts.route,
        facts.status,
        milliseconds,
        facts.key or "none",
        facts.request_id,
        extra={"members": members},
    )
