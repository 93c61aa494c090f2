"""Serializer fields that validate with `conversations.schema`, which raises OpenAI's errors."""

from typing import Any

from rest_framework import serializers

from conversations import errors
from conversations.conf import app_settings
from conversations.schema.metadata import validate_metadata
from conversations.validation import validate_request_items


class SchemaField(serializers.Field):  # type: ignore[type-arg]
    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        if data is None and not self.allow_null:
            return False, data  # The schema has the error for null, with the expected type.
        return super().validate_empty_values(data)

    def to_representation(self, value: Any) -> Any:
        return value


class MetadataField(SchemaField):
    def to_internal_value(self, data: Any) -> dict[str, str]:
        return validate_metadata(data)


class ItemIdField(SchemaField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise errors.invalid_type(str(self.field_name), expected="a string", got=data)
        return data


class ItemsField(SchemaField):
    def __init__(self, *, allow_empty: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allow_empty = allow_empty

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        items = validate_request_items(data, max_items=app_settings.max_items_per_request)
        if not items and not self.allow_empty:
            raise errors.empty_array("items")
        return items
