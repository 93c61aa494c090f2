from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models, router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations.db.fields import BytewiseCharField
from conversations.db.retry import retry_on_conflict

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

MAX_NAME_LENGTH = 100
MAX_QUERY_STRING_LENGTH = 20_000


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> SavedViewQuerySet:
        """Filter for the user's own views and the shared views of others."""
        return self.filter(Q(owner=user.pk) | Q(is_shared=True))

    def default_of(self, user: AbstractBaseUser | AnonymousUser) -> SavedView | None:
        return self.filter(owner=user.pk, is_default=True).first()


class SavedView(models.Model):
    """Named filters, order and columns of the list of conversations."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="conversations_saved_views",
        verbose_name=_("owner"),
        db_index=False,
    )
    name = BytewiseCharField(_("name"), max_length=MAX_NAME_LENGTH)
    query_string = models.TextField(
        _("query string"),
        max_length=MAX_QUERY_STRING_LENGTH,
        blank=True,
        help_text=_("The list's URL parameters. The current page is not saved."),
    )
    is_shared = models.BooleanField(
        _("shared"), default=False, help_text=_("Everyone with access to the list can use this view.")
    )
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("The list opens with this view. You can have one default.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        # Everyone with access to the list can save views of their own.
        default_permissions = ()
        permissions = [("share_savedview", "Can share saved views")]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="conversations_view_unique_name")]

    def __str__(self) -> str:
        return str(self.name)

    @retry_on_conflict
    def save(self, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        """Save the view. A new default replaces the owner's previous one."""
        using = using or router.db_for_write(SavedView, instance=self)
        with transaction.atomic(using=using):
            if self.is_default:
                self._lock_owner(using)
                others = SavedView.objects.using(using).filter(owner=self.owner_id).exclude(pk=self.pk)
                others.filter(is_default=True).update(is_default=False)
            super().save(*args, using=using, **kwargs)

    def _lock_owner(self, using: str) -> None:
        """Lock the owner's row, so that concurrent saves see each other's default. SQLite allows one writer anyway."""
        users = get_user_model()._base_manager.using(using).select_for_update()
        users.filter(pk=self.owner_id).values_list("pk").first()
