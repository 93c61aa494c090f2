from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeAlias

from django.conf import settings
from django.db import models, router
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.api_key_secrets import scrub_secrets
from conversations.db.fields import BytewiseCharField, VerbatimJSONField
from conversations.db.retry import retry_on_conflict

MAX_USERNAME_LENGTH = 255


class Account(Protocol):
    """A user of any model, or an anonymous one."""

    pk: Any

    def get_username(self) -> str: ...


# A user, or the name of the command or task that acts without one.
Actor: TypeAlias = Account | str


class AccessRecordQuerySet(models.QuerySet["AccessRecord"]):
    @retry_on_conflict
    def record(
        self,
        *,
        user: Actor,
        action: AccessRecord.Action,
        conversation_id: str = "",
        query: str = "",
        conversation_count: int | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> AccessRecord:
        """Store a record of one access to message content, or of one change.

        `query`, the filter as people read it, and `conversation_count` describe an access to several conversations.
        `details` are the rest, such as the old and the new metadata. A change is recorded in the transaction that makes
        it, so that there is none without the other. Reading without a user, for example an export by a management
        command, is not recorded.
        """
        return self.create(
            user_id=None if isinstance(user, str) else user.pk,
            username=(user if isinstance(user, str) else user.get_username())[:MAX_USERNAME_LENGTH],
            action=action,
            conversation_id=conversation_id,
            query=scrub_secrets(query),
            conversation_count=conversation_count,
            details=None if details is None else json.loads(scrub_secrets(json.dumps(details))),
        )

    def forget_details(self, conversation_ids: Collection[str]) -> None:
        """Remove the details of entries about conversations that are deleted for good: they may hold metadata."""
        entries = self.filter(Q(details__isnull=False), conversation_id__in=conversation_ids)
        entries.update(details=None)


class AccessRecord(models.Model):
    """An entry of the access log: which user read, searched, exported or changed which conversations, and when.

    It holds no message content, and stays when the user or the conversations are deleted. `username` is the name of the
    command or task if there was no user.
    """

    class Action(models.TextChoices):
        READ = "read", _("read")
        EXPORT = "export", _("export")
        SEARCH = "search", _("search")
        DELETE = "delete", _("delete")
        RESTORE = "restore", _("restore")
        PURGE = "purge", _("delete for good")
        METADATA = "metadata", _("change metadata")
        KEY_CREATED = "key_created", _("create API key")
        KEY_REVOKED = "key_revoked", _("revoke API key")
        REDACT = "redact", _("redact item")
        HOLD = "hold", _("place on legal hold")
        RELEASE = "release", _("release legal hold")
        RETENTION = "retention", _("apply retention rule")
        ERASURE = "erasure", _("erase person")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("user"),
        db_index=False,
    )
    username = BytewiseCharField(_("username"), max_length=MAX_USERNAME_LENGTH)
    created_at = models.DateTimeField(_("time"), default=timezone.now)
    action = BytewiseCharField(_("action"), max_length=16, choices=Action.choices)
    conversation_id = BytewiseCharField(_("conversation"), max_length=ids.MAX_LENGTH, blank=True)
    query = models.TextField(_("filter"), blank=True)
    conversation_count = models.PositiveIntegerField(_("results"), null=True)
    details = VerbatimJSONField(_("details"), null=True)

    objects = AccessRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("access log entry")
        verbose_name_plural = _("access log")
        default_permissions = ("view",)
        # Lists are ordered by primary key. Each index ends with it, so that a filtered list is an index range scan.
        indexes = [
            models.Index(fields=["user"], name="conversations_access_user"),
            models.Index(fields=["username", "id"], name="conversations_access_username"),
            models.Index(fields=["action", "id"], name="conversations_access_action"),
            models.Index(fields=["conversation_id", "id"], name="conversations_access_conv_id"),
        ]

    def __str__(self) -> str:
        return f"{self.username}: {self.get_action_display()} {self.conversation_id}".rstrip()

    @retry_on_conflict
    def complete(self, *, conversation_count: int) -> None:
        """Set the number of conversations at the end of a streamed export, unless it is set already."""
        using = router.db_for_write(AccessRecord, instance=self)
        unfinished = AccessRecord.objects.using(using).filter(pk=self.pk, conversation_count=None)
        unfinished.update(conversation_count=conversation_count)
        self.refresh_from_db(using=using, fields=["conversation_count"])


class RunRecord:
    """The entry of a run of several transactions: the first one that changes something stores it, and each counts on.

    An interrupted run thus has an entry with the number of conversations that it reached.
    """

    def __init__(
        self, *, user: Actor, action: AccessRecord.Action, query: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        self._values: dict[str, Any] = {"user": user, "action": action, "query": query, "details": details}
        self._record: AccessRecord | None = None

    def add(self, conversation_count: int) -> None:
        """Count conversations, in the transaction that changes them."""
        records = AccessRecord.objects.using(router.db_for_write(AccessRecord))
        if self._record is None:
            self._record = records.record(**self._values, conversation_count=conversation_count)
        elif conversation_count:
            records.filter(pk=self._record.pk).update(conversation_count=F("conversation_count") + conversation_count)

    def finish(self, **details: Any) -> None:
        """Add details that only the end of the run tells. Store the entry of a run that changed nothing."""
        self._values["details"] = {**(self._values["details"] or {}), **details} or None
        if self._record is None:
            self.add(0)
        elif details:
            records = AccessRecord.objects.using(router.db_for_write(AccessRecord))
            records.filter(pk=self._record.pk).update(details=self._values["details"])
