from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models, router
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.db.fields import BytewiseCharField
from conversations.db.retry import retry_on_conflict

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

MAX_USERNAME_LENGTH = 255


class AccessRecordQuerySet(models.QuerySet["AccessRecord"]):
    @retry_on_conflict
    def record(
        self,
        *,
        user: AbstractBaseUser | AnonymousUser,
        action: AccessRecord.Action,
        conversation_id: str = "",
        query: str = "",
        conversation_count: int | None = None,
    ) -> AccessRecord:
        """Store a record of one access to message content.

        `query`, the filter as people read it, and `conversation_count` describe an access to several conversations.
        Accesses without a user, for example an export by a management command, are not recorded.
        """
        return self.create(
            user_id=user.pk,
            username=user.get_username()[:MAX_USERNAME_LENGTH],
            action=action,
            conversation_id=conversation_id,
            query=query,
            conversation_count=conversation_count,
        )


class AccessRecord(models.Model):
    """An entry of the access log: which user read, searched or exported which conversations, and when.

    It holds no content, and stays when the user or the conversations are deleted.
    """

    class Action(models.TextChoices):
        READ = "read", _("read")
        EXPORT = "export", _("export")
        SEARCH = "search", _("search")

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
