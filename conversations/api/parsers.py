from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from conversations.api import errors
from conversations.conf import app_settings
from conversations.schema.storable import loads


class JSONParser(BaseParser):
    """A body of at most `CONVERSATIONS_MAX_BODY_BYTES` that holds nothing a database could not keep."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        length = int((parser_context or {})["request"].META["CONTENT_LENGTH"])
        if length > app_settings.max_body_bytes:
            raise errors.body_too_large(maximum=app_settings.max_body_bytes)
        try:
            return loads(stream.read(), max_values=app_settings.max_json_values)
        except ValueError:
            raise errors.invalid_json() from None
