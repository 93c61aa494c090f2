"""Search all tables of the app and its optional parts for traces of what was deleted, as proof that there are none."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from django.apps import apps
from django.db import models, router
from django.db.models import Q

from conversations.db.fields import StoredText, VerbatimJSONField
from conversations.models import Conversation, DeletedConversation, DeletedPart, ItemText
from conversations.transfer.gzip_stream import READ_ERRORS, open_gzip_chunks

BATCH = 500  # ids in one query


def find_references(ids: Collection[str], *, using: str) -> set[str]:
    """Return the names of models with rows of these conversations, or rows that refer to them."""
    names = set()
    batches = [list(ids)[start : start + BATCH] for start in range(0, len(ids), BATCH)]
    fields = [
        (relation.related_model, relation.field.name)  # type: ignore[union-attr]
        for relation in Conversation._meta.get_fields(include_hidden=True)
        if relation.one_to_many and relation.auto_created
    ]
    for model, name in [*fields, (Conversation, "pk"), (DeletedConversation, "conversation_id")]:
        rows = model._base_manager.using(using)  # type: ignore[union-attr]
        if any(rows.filter(**{f"{name}__in": batch}).exists() for batch in batches):
            names.add(model.__name__)  # type: ignore[union-attr]
    return names


def find_text(text: str) -> Iterator[str]:
    """Yield the table and column of each place that contains the text, compressed copies in the trash included.

    Reads every row of every table, without an index.
    """
    escaped = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    own_apps = [config for config in apps.get_app_configs() if f"{config.name}.".startswith("conversations.")]
    for model in (model for config in own_apps for model in config.get_models()):
        rows = model._base_manager.using(router.db_for_write(model))
        for field in model._meta.concrete_fields:
            if isinstance(field, VerbatimJSONField):
                condition = Q()
                for each in escaped:
                    condition |= Q(stored__contains=each)
                is_found = rows.annotate(stored=StoredText(field.name)).filter(condition).exists()
            elif model is ItemText and field.name == "words":
                is_found = ItemText.objects.using(rows.db).containing_phrase(text).exists() if text.strip() else False
            elif isinstance(field, models.CharField | models.TextField):
                is_found = rows.filter(**{f"{field.name}__contains": text}).exists()
            else:
                continue
            if is_found:
                yield f"{model._meta.db_table}.{field.column}"
    if any(_has_text(copy, escaped) for copy in DeletedConversation.objects.order_by("pk").iterator()):
        yield f"{DeletedPart._meta.db_table}.content"


def _has_text(copy: DeletedConversation, texts: Collection[str]) -> bool:
    encoded = [text.encode() for text in texts]
    try:
        with open_gzip_chunks(copy.content()) as lines:
            return any(text in line for line in lines for text in encoded)
    except READ_ERRORS:  # The copy was restored or purged meanwhile.
        return False
