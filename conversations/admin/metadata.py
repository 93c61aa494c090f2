"""The form field that edits metadata, and the list of pairs that shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.errors import APIError
from conversations.models import Conversation
from conversations.schema.json_limits import check_storable
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_PAIRS, MAX_VALUE_LENGTH, validate_metadata


class MetadataField(forms.Field):
    """Metadata as JSON text, validated by the rules of the API. Invalid text stays in the form unchanged."""

    widget = AdminTextareaWidget(attrs={"dir": "ltr"})
    # An empty object is a value, but an empty text is not: a form without the field must not clear the metadata.
    empty_values = [None, ""]

    def prepare_value(self, value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)

    def to_python(self, value: str | None) -> dict[str, str] | None:
        if value is None or not value.strip():
            return None
        try:
            metadata = json.loads(value, object_pairs_hook=_build_object)
        except RecursionError as error:
            raise forms.ValidationError(_("Enter valid JSON: the text is nested too deeply.")) from error
        except ValueError as error:
            raise forms.ValidationError(_("Enter valid JSON: %(error)s"), params={"error": error}) from error
        try:
            check_storable(metadata, path="metadata")
            return validate_metadata(metadata)
        except APIError as error:
            raise forms.ValidationError(error.message) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return json.dumps(initial) != json.dumps(self.to_python(data))  # The order of the pairs counts.
        except forms.ValidationError:
            return True


class ConversationForm(forms.ModelForm):  # type: ignore[type-arg]
    metadata = MetadataField(
        label=_("Metadata"),
        help_text=format_lazy(
            _("A JSON object of at most {pairs} pairs: keys of at most {key} characters, values of at most {value}."),
            pairs=MAX_PAIRS,
            key=MAX_KEY_LENGTH,
            value=MAX_VALUE_LENGTH,
        ),
    )

    class Meta:
        model = Conversation
        fields = ("metadata",)


def render_pairs(metadata: Any, *, url_of: Callable[[str, str], str] | None = None) -> SafeString | str:
    """Return the metadata as an HTML list of `key = value`, each linked by `url_of`."""
    if not isinstance(metadata, dict):
        return json.dumps(metadata, ensure_ascii=False)
    if not metadata:
        return ""
    pairs = format_html_join("", "<li>{}</li>", ((_pair(key, value, url_of),) for key, value in metadata.items()))
    return format_html('<ul class="conversations-pairs">{}</ul>', pairs)


def _pair(key: str, value: Any, url_of: Callable[[str, str], str] | None) -> SafeString:
    pair = format_html("<b>{}</b> = {}", key, value)
    if url_of is None or not isinstance(value, str):
        return pair
    title = gettext("Only conversations with “%(key)s” = “%(value)s”") % {"key": key, "value": value}
    return format_html('<a class="conversations-pair" href="{}" title="{}">{}</a>', url_of(key, value), title, pair)


def _build_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members as a dictionary, or raise an error if a name is used twice."""
    metadata: dict[str, Any] = {}
    for name, value in members:
        if name in metadata:
            raise ValueError(gettext("the name “%(name)s” is used twice.") % {"name": name})
        metadata[name] = value
    return metadata
