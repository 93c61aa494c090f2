"""Texts outside of conversations that name a person: saved views, the access log, the admin's history, rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qsl

from django.apps import apps
from django.db import router
from django.db.models import Q, QuerySet

from conversations.models import AccessRecord, RetentionRule, SavedView
from conversations.retention.person import Person

PAGE = 1_000  # rows read by one query


def delete_views(person: Person) -> Iterator[int]:
    """Delete saved views that name the person, and yield the number for each."""
    views = SavedView.objects.using(router.db_for_write(SavedView))
    for view in views.all():
        if any(map(person.is_named_in, [view.name, *(value for _, value in parse_qsl(view.query_string))])):
            yield views.filter(pk=view.pk).delete()[0]


def forget_searches(person: Person, *, after: int = 0) -> Iterator[tuple[int, int]]:
    """Remove texts and details that name the person from the access log; its entries stay.

    Yield the last key of each page, and the number of search texts.
    """
    records = AccessRecord.objects.using(router.db_for_write(AccessRecord))
    entries = records.filter(~Q(query="") | Q(details__isnull=False)).order_by("pk")
    # Receipts name nobody, but a person may be named like one of their words.
    texts = entries.exclude(action=AccessRecord.Action.ERASURE).values_list("pk", "query", "details")
    while page := list(texts.filter(pk__gt=after)[:PAGE]):
        after = page[-1][0]
        ids = [pk for pk, _, details in page if person.is_named_in(json.dumps(details, ensure_ascii=False))]
        records.filter(pk__in=ids).update(details=None)
        ids = [pk for pk, query, _ in page if person.is_named_in(query)]
        yield after, records.filter(pk__in=ids).update(query="")


def forget_history(person: Person, *, after: int = 0) -> Iterator[tuple[int, int]]:
    """Remove texts that name the person from the admin's history of the app's rows, and yield as `forget_searches`.

    An entry has the name that a saved view or a retention rule had when somebody changed or deleted it.
    """
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry

    entries = LogEntry.objects.using(router.db_for_write(LogEntry))
    own = entries.filter(content_type__app_label="conversations").order_by("pk")
    texts = own.values_list("pk", "object_repr", "change_message")
    while page := list(texts.filter(pk__gt=after)[:PAGE]):
        after = page[-1][0]
        ids = [pk for pk, *names in page if any(map(person.is_named_in, names))]
        yield after, entries.filter(pk__in=ids).update(object_repr="", change_message="")


def matching_rules(person: Person) -> list[int]:
    """Return the ids of retention rules that name the person. They stay, because they decide what is deleted."""
    rules: QuerySet[RetentionRule] = RetentionRule.objects.using(router.db_for_write(RetentionRule))
    texts = rules.order_by("pk").values_list("pk", "name", "query")
    return [pk for pk, *names in texts if any(map(person.is_named_in, names))]
