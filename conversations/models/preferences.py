from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from conversations.db.aliases import write_alias
from conversations.db.fields import VerbatimJSONField
from conversations.db.retry import retry_on_conflict

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class PreferencesQuerySet(models.QuerySet["Preferences"]):
    def for_user(self, user: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
        """Return the user's choices by name."""
        choices: dict[str, Any] | None = self.filter(user=user.pk).values_list("choices", flat=True).first()
        return choices or {}

    @retry_on_conflict
    def save_choices(self, user: Any, **choices: Any) -> dict[str, Any]:
        """Merge choices, whose values are JSON, into those of the user, and return all of them."""
        using = write_alias(self)
        with transaction.atomic(using=using):
            preferences, _is_new = self.using(using).select_for_update().get_or_create(user=user)
            preferences.choices |= choices
            preferences.save(update_fields=["choices"])
        merged: dict[str, Any] = preferences.choices
        return merged


class Preferences(models.Model):
    """A user's display preferences for the admin, independent of session and browser."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="conversations_preferences",
        verbose_name=_("user"),
    )
    choices = VerbatimJSONField(_("choices"), default=dict)

    objects = PreferencesQuerySet.as_manager()

    class Meta:
        verbose_name = verbose_name_plural = _("preferences")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.user)
