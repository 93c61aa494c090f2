"""Retention rules: delete the conversations that are older than a rule allows, in resumable batches."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db import router
from django.db.models import Q

from conversations.deletion import BulkDelete
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, ConversationQuerySet, RetentionRule, RunRecord
from conversations.schema.query.nodes import And, CreatedCondition, Query
from conversations.schema.query.parser import parse_query

logger = logging.getLogger("conversations.retention")


def select_conversations(rule: RetentionRule) -> tuple[ConversationQuerySet, Query]:
    """Return the conversations that the rule is about now, as a queryset and a query that must both hold.

    A conversation without items is as old as its creation. Raise `APIError` if the rule's query is invalid.
    """
    cutoff = rule.cutoff()
    # A conversation is active when it is created, even a fork, whose items may be older. So this condition holds for
    # either basis, and it gives the scan a bound.
    query = And((CreatedCondition("lt", int(cutoff.timestamp())), parse_query(rule.query)))
    conversations = Conversation.objects.using(router.db_for_write(Conversation))
    if rule.basis == RetentionRule.Basis.ACTIVE:
        conversations = conversations.filter(Q(last_item_at__lt=cutoff) | Q(last_item_at=None))
    return conversations, query


def run_rules() -> Iterator[None]:
    """Run all enabled rules, one after the other, and record each run in the access log. Yield after each step.

    An interrupted run is continued by the next one. A rule whose query is invalid is logged and skipped.
    """
    rules = RetentionRule.objects.using(router.db_for_write(RetentionRule))
    for rule in rules.filter(is_enabled=True).order_by("pk"):
        try:
            yield from run_rule(rule)
        except APIError as error:
            logger.error("The retention rule %s was skipped: %s", rule, error.message)


def run_rule(rule: RetentionRule) -> Iterator[None]:
    conversations, query = select_conversations(rule)
    run_record = RunRecord(
        user="periodic task: retention",
        action=AccessRecord.Action.RETENTION,
        query=rule.query,
        details={"rule": rule.name, "days": rule.days, "since": rule.basis},
    )
    yield from BulkDelete(conversations, query=query, run_record=run_record)
