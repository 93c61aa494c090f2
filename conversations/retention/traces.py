"""Search all tables for traces of what was deleted, as proof that there are none."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from django.apps import apps
from django.db import models, router
from django.db.models import Q, QuerySet
from django.db.models.functions import Cast

from conversations.db.fields import StoredText, VerbatimJSONField, WordsField
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

    Reads all texts and JSON in the tables of all installed apps, without an index.
    """
    escaped = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    for model in apps.get_models(include_auto_created=True):
        using = router.db_for_write(model)
        if model._meta.proxy or not model._meta.managed or not router.allow_migrate_model(using, model):
            continue
        for field in model._meta.local_concrete_fields:
            if _matching_rows(model._base_manager.using(using), field, text, escaped).exists():
                yield f"{model._meta.db_table}.{field.column}"
    if any(_has_text(copy, escaped) for copy in DeletedConversation.objects.order_by("pk").iterator()):
        yield f"{DeletedPart._meta.db_table}.content"


def _matching_rows(
    rows: QuerySet[Any], field: models.Field[Any, Any], text: str, escaped: Collection[str]
) -> QuerySet[Any]:
    if isinstance(field, WordsField):
        return ItemText.objects.using(rows.db).containing_phrase(text) if text.strip() else rows.none()
    if isinstance(field, models.JSONField):
        is_verbatim = isinstance(field, VerbatimJSONField)
        stored = StoredText(field.name) if is_verbatim else Cast(field.name, models.TextField())
        condition = Q()
        for each in escaped:
            condition |= Q(conversations_stored__contains=each)
        annotated: QuerySet[Any] = rows.annotate(conversations_stored=stored)
        return annotated.filter(condition)
    if isinstance(field, models.CharField | models.TextField):
        return rows.filter(**{f"{field.name}__contains": text})
    return rows.none()


def _has_text(copy: DeletedConversation, texts: Collection[str]) -> bool:
    encoded = [text.encode() for text in texts]
    try:
        with open_gzip_chunks(copy.content()) as lines:
            return any(text in line for line in lines for text in encoded)
    except READ_ERRORS:  # The copy was restored or purged meanwhile.
        return False
