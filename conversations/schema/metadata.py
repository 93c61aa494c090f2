"""Validation of metadata: at most 16 pairs, with keys of up to 64 characters and values of up to 512.

https://platform.openai.com/docs/api-reference/conversations/create#conversations_create-metadata
"""

from typing import Any

from conversations import errors

MAX_PAIRS = 16
MAX_KEY_LENGTH = 64
MAX_VALUE_LENGTH = 512


def validate_metadata(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict):
        raise errors.invalid_type("metadata", expected="a metadata object", got=metadata)
    if len(metadata) > MAX_PAIRS:
        raise errors.too_many_properties("metadata", len(metadata), maximum=MAX_PAIRS)
    for key, value in metadata.items():
        if len(key) > MAX_KEY_LENGTH:
            raise errors.property_name_too_long("metadata", key, maximum=MAX_KEY_LENGTH)
        if not isinstance(value, str):
            raise errors.invalid_type(f"metadata.{key}", expected="a string", got=value)
        if len(value) > MAX_VALUE_LENGTH:
            raise errors.string_too_long(f"metadata.{key}", value, maximum=MAX_VALUE_LENGTH)
    return metadata
