from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models, router
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import api_key_secrets
from conversations.conf import app_settings
from conversations.db.database_key import DatabaseKey, database_key
from conversations.db.retry import retry_on_conflict

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

USE_RECORDED_EVERY = timedelta(minutes=1)
MAX_CACHED = 10_000  # hashes per process

# Keys and the times when they expire, by hash and database. Tenants with databases of their own may share a process.
_cache: dict[str, dict[DatabaseKey, tuple[APIKey, float]]] = {}


class APIKey(models.Model):
    """A secret that authenticates API requests as its user. Only its hash is stored, so it can be shown only once."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="conversations_api_keys",
        verbose_name=_("user"),
    )
    name = models.CharField(_("name"), max_length=100, blank=True)
    prefix = models.CharField(_("prefix"), max_length=32, editable=False)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)" if self.name else f"{self.prefix}…"

    @classmethod
    @retry_on_conflict
    def create(
        cls, *, user: AbstractBaseUser, name: str = "", expires_at: datetime | None = None
    ) -> tuple[APIKey, str]:
        """Create a key, and return it with its secret. The secret itself is not stored."""
        secret = api_key_secrets.new_secret()
        key = cls.objects.create(
            user=user,
            name=name,
            expires_at=expires_at,
            prefix=api_key_secrets.visible_prefix(secret),
            hash=api_key_secrets.hash_secret(secret),
        )
        return key, secret

    @classmethod
    @retry_on_conflict
    def authenticate(cls, secret: str) -> APIKey | None:
        """Return the key of this secret, or None if it is unknown, revoked or expired or its user is inactive.

        Each process caches a key for CONVERSATIONS_API_KEY_SECONDS, separately for each database and schema, and may
        miss a change made by another process for as long.
        """
        hashed = api_key_secrets.hash_secret(secret)
        alias = router.db_for_read(cls)
        database = database_key(alias)
        key, until = _cache.get(hashed, {}).get(database, (None, 0.0))
        if key is None or until < time.monotonic():
            key = cls.objects.using(alias).select_related("user").filter(hash=hashed).first()
            if key:
                key._add_to_cache(database)
        return key if key and key.is_active else None

    @property
    def is_active(self) -> bool:
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.revoked_at is None and not expired and self.user.is_active

    def record_use(self) -> None:
        """Set `last_used_at`, at most once a minute however many requests the key makes."""
        now = timezone.now()
        if not self.last_used_at or self.last_used_at <= now - USE_RECORDED_EVERY:
            self._record_use(now)

    @retry_on_conflict
    def _record_use(self, now: datetime) -> None:
        self.last_used_at = now
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_RECORDED_EVERY)
        keys = APIKey.objects.using(router.db_for_write(APIKey, instance=self))
        keys.filter(stale, pk=self.pk).update(last_used_at=now)

    def _add_to_cache(self, database: DatabaseKey) -> None:
        if len(_cache) >= MAX_CACHED:
            _cache.clear()
        _cache.setdefault(self.hash, {})[database] = self, time.monotonic() + app_settings.api_key_seconds

    @retry_on_conflict
    def revoke(self) -> None:
        """Revoke the key. Revoking it again keeps the time of the first revocation."""
        using = router.db_for_write(APIKey, instance=self)
        APIKey.objects.using(using).filter(pk=self.pk, revoked_at=None).update(revoked_at=timezone.now())
        # Drop the key for every database and schema: tenants may share the row, or read it through different aliases.
        # Dropping it before the update would let a concurrent request cache the key again.
        _cache.pop(self.hash, None)
        self.refresh_from_db(using=using, fields=["revoked_at"])
