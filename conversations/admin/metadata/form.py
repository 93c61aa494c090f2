"""The form that edits metadata: a row for each pair, and a digest of what was shown, so that no other write is lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from conversations.errors import APIError
from conversations.models import Conversation
from conversations.schema.json_limits import check_storable
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_PAIRS, MAX_VALUE_LENGTH, validate_metadata

BLANK_ROWS = 2  # below the pairs, for new ones


@dataclass(frozen=True)
class TypedPairs:
    """The rows as they were sent, and the digest of the metadata that the form had shown."""

    pairs: Sequence[tuple[str, str]]
    seen: str


def metadata_digest(metadata: Any) -> str:
    """Return a digest in which the order of the pairs counts."""
    return hashlib.sha256(json.dumps(metadata).encode()).hexdigest()


class MetadataRows(forms.Widget):
    """A row of key and value for each pair, and some rows for new pairs. A row with neither is no pair."""

    template_name = "admin/conversations/conversation/metadata_rows.html"
    use_fieldset = True

    class Media:
        css = {"all": ("conversations/metadata_form.css",)}

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        if isinstance(value, TypedPairs):
            pairs, seen = [pair for pair in value.pairs if any(pair)], value.seen
        else:
            pairs = [(key, str(text)) for key, text in value.items()] if isinstance(value, dict) else []
            seen = metadata_digest(value)
        blank = [("", "")] * min(BLANK_ROWS, max(0, MAX_PAIRS - len(pairs)))
        limits = {"max_key_length": MAX_KEY_LENGTH, "max_value_length": MAX_VALUE_LENGTH}
        return {**context, "rows": [*pairs, *blank], "seen": seen, **limits}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> TypedPairs | None:
        if f"{name}_key" not in data:
            return None
        keys, values = (data.getlist(f"{name}_{part}") for part in ("key", "value"))
        values += [""] * (len(keys) - len(values))
        return TypedPairs(list(zip(keys, values, strict=False)), data.get(f"{name}_seen", ""))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}_key" not in data


class MetadataField(forms.Field):
    """Metadata as rows, validated by the rules of the API. Rows that are not valid stay in the form unchanged."""

    widget = MetadataRows
    empty_values = [None]  # A form without the field must not clear the metadata.
    stored: Any = None  # the metadata of the conversation

    def to_python(self, value: TypedPairs | None) -> dict[str, str] | None:
        if value is None:
            return None
        metadata: dict[str, str] = {}
        for typed_key, text in value.pairs:
            if not typed_key and not text:
                continue
            key = self._stored_key(typed_key)
            if not key:
                raise forms.ValidationError(_("Enter a key for the value “%(value)s”."), params={"value": text})
            if key in metadata:
                raise forms.ValidationError(_("The key “%(key)s” is used twice."), params={"key": key})
            metadata[key] = self._stored_text(key, text)
        try:
            check_storable(metadata, path="metadata")
            return validate_metadata(metadata)
        except APIError as error:
            raise forms.ValidationError(error.message) from error

    def has_changed(self, initial: Any, data: TypedPairs | None) -> bool:
        try:
            return json.dumps(initial) != json.dumps(self.to_python(data))  # The order of the pairs counts.
        except forms.ValidationError:
            return True

    def _stored_key(self, typed: str) -> str:
        """Return the stored key that a browser shows and sends in this form: it drops line breaks of a single line."""
        keys = self.stored if isinstance(self.stored, dict) else {}
        return next((key for key in keys if _without_breaks(key) == typed), typed)

    def _stored_text(self, key: str, typed: str) -> str:
        """Return the stored value if it is the typed one: a browser sends each line break as CR and LF."""
        stored = self.stored.get(key) if isinstance(self.stored, dict) else None
        text = _with_plain_breaks(typed)
        return stored if isinstance(stored, str) and _with_plain_breaks(stored) == text else text


class ConversationForm(forms.ModelForm):  # type: ignore[type-arg]
    """A save that would undo a write that the form has not shown is refused, and `conflict` has both versions."""

    metadata = MetadataField(
        label=_("Metadata"),
        help_text=format_lazy(
            _(
                "At most {pairs} pairs: keys of at most {key} characters, values of at most {value}. "
                "Clear both fields of a row to remove it."
            ),
            pairs=MAX_PAIRS,
            key=MAX_KEY_LENGTH,
            value=MAX_VALUE_LENGTH,
        ),
    )
    conflict: Sequence[tuple[str, str | None, str | None]] = ()  # key, stored value and typed value

    class Meta:
        model = Conversation
        fields = ("metadata",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "metadata" in self.fields:
            field: Any = self.fields["metadata"]
            field.stored = self.instance.metadata

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "metadata" in values and "metadata" in self.changed_data:
            self._check_for_other_writes(values["metadata"])
        return values

    def _check_for_other_writes(self, typed: dict[str, str]) -> None:
        """Add an error if the stored metadata is not what the form has shown. The view's transaction keeps the lock."""
        conversation: Conversation = self.instance
        conversation.lock()
        conversation.refresh_from_db(using=conversation.write_alias, fields=["metadata"])
        stored: Any = conversation.metadata
        if self.data.get("metadata_seen") == metadata_digest(stored):
            return
        pairs = stored if isinstance(stored, dict) else {}
        self.conflict = [
            (key, pairs.get(key), typed.get(key))
            for key in dict.fromkeys([*pairs, *typed])
            if pairs.get(key) != typed.get(key)
        ]
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        data["metadata_seen"] = metadata_digest(stored)  # The next save, which has seen both versions, is accepted.
        self.data = data
        text = _("The metadata was changed meanwhile. Nothing was saved. Compare, and save again to replace it.")
        self.add_error("metadata", forms.ValidationError(text))


def _without_breaks(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


def _with_plain_breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
