from __future__ import annotations

import time
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.db import models, router, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import api_key_secrets
from conversations.conf import app_settings
from conversations.db.aliases import DatabaseKey, database_key
from conversations.db.retry import retry_on_conflict
from conversations.models.access_record import AccessRecord, Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

USE_RECORDED_EVERY = timedelta(minutes=1)
MAX_CACHED = 10_000  # hashes per process

# Keys and the times when they expire, by hash and database. Tenants with databases of their own may share a process.
_cache: dict[str, dict[DatabaseKey, tuple[APIKey, float]]] = {}
# The number of times that this process removed a key from the cache. A look-up that began before is not cached.
_removals = 0

Scope = Literal["read", "write"]
SCOPES: tuple[Scope, ...] = ("read", "write")


class APIKey(models.Model):
    """A secret that authenticates API requests as its user. Only its hash is stored, so it can be shown only once.

    Its scopes, `can_read` and `can_write`, and its expiry never grow, so that a secret that leaked gains nothing.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="conversations_api_keys",
        verbose_name=_("user"),
    )
    name = models.CharField(_("name"), max_length=100, blank=True)
    prefix = models.CharField(_("prefix"), max_length=32, editable=False)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    can_read = models.BooleanField(_("can read"), default=True)
    can_write = models.BooleanField(_("can write"), default=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, editable=False)
    last_used_from = models.GenericIPAddressField(_("last used from"), null=True, editable=False)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)
    end_user_required = models.BooleanField(
        _("end user required"), default=False, help_text=_("Refuse requests that do not name an end user.")
    )

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)" if self.name else f"{self.prefix}…"

    @classmethod
    @retry_on_conflict
    def create(
        cls,
        *,
        user: AbstractBaseUser,
        name: str = "",
        can_read: bool = True,
        can_write: bool = True,
        end_user_required: bool = False,
        expires_at: datetime | None = None,
        created_by: Actor | None = None,
    ) -> tuple[APIKey, str]:
        """Create a key, and return it with its secret. The secret itself is not stored.

        The access log gets an entry if `created_by` is given.
        """
        secret = api_key_secrets.new_secret()
        with transaction.atomic(using=router.db_for_write(cls)):
            key = cls.objects.create(
                user=user,
                name=name,
                can_read=can_read,
                can_write=can_write,
                expires_at=expires_at,
                end_user_required=end_user_required,
                prefix=api_key_secrets.visible_prefix(secret),
                hash=api_key_secrets.hash_secret(secret),
            )
            if created_by:
                key._record(AccessRecord.Action.KEY_CREATED, created_by)
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
            removals = _removals
            key = cls.objects.using(alias).select_related("user").filter(hash=hashed).first()
            if key and removals == _removals:
                key._add_to_cache(database)
        return key if key and key.is_active else None

    @property
    def is_active(self) -> bool:
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.revoked_at is None and not expired and self.user.is_active

    def has_scope(self, scope: Scope) -> bool:
        return self.can_read if scope == "read" else self.can_write

    def record_use(self, address: str = "") -> None:
        """Set `last_used_at` and `last_used_from`, at most once a minute however many requests the key makes.

        `address` is the client's, as a server has it in REMOTE_ADDR: empty or the path of a socket, if not an address.
        """
        now = timezone.now()
        if not self.last_used_at or self.last_used_at <= now - USE_RECORDED_EVERY:
            self._record_use(now, _parse_address(address))

    @retry_on_conflict
    def _record_use(self, now: datetime, address: str | None) -> None:
        self.last_used_at, self.last_used_from = now, address
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_RECORDED_EVERY)
        keys = APIKey.objects.using(router.db_for_write(APIKey, instance=self))
        keys.filter(stale, pk=self.pk).update(last_used_at=now, last_used_from=address)

    def _add_to_cache(self, database: DatabaseKey) -> None:
        if len(_cache) >= MAX_CACHED:
            _cache.clear()
        _cache.setdefault(self.hash, {})[database] = self, time.monotonic() + app_settings.api_key_seconds

    @retry_on_conflict
    def change(self, *, name: str, end_user_required: bool) -> None:
        """Change what can be changed of a key, at once in this process."""
        using = router.db_for_write(APIKey, instance=self)
        self.name, self.end_user_required = name, end_user_required
        self.save(using=using, update_fields=["name", "end_user_required"])
        self._remove_from_cache(using)

    @retry_on_conflict
    def revoke(self, *, revoked_by: Actor | None = None) -> bool:
        """Revoke the key, and return whether it was not revoked before: the time of the first revocation stays.

        The access log gets an entry if `revoked_by` is given.
        """
        using = router.db_for_write(APIKey, instance=self)
        with transaction.atomic(using=using):
            keys = APIKey.objects.using(using).filter(pk=self.pk, revoked_at=None)
            is_new = bool(keys.update(revoked_at=timezone.now()))
            if is_new and revoked_by:
                self._record(AccessRecord.Action.KEY_REVOKED, revoked_by)
        self._remove_from_cache(using)
        self.refresh_from_db(using=using, fields=["revoked_at"])
        return is_new

    @retry_on_conflict
    def rotate(self, *, overlap: timedelta, rotated_by: Actor | None = None) -> tuple[APIKey, str]:
        """Create a key with the same rights, and return it with its secret. This key expires after `overlap`.

        The new key may be used for as long as this one could when it was created. Raise `ValueError` if this key is
        revoked or expired.
        """
        using = router.db_for_write(APIKey, instance=self)
        with transaction.atomic(using=using):
            old = APIKey.objects.using(using).select_for_update().get(pk=self.pk)
            if old.revoked_at or (old.expires_at and old.expires_at <= timezone.now()):
                raise ValueError("A revoked or expired key can't be rotated.")
            now = timezone.now()
            new, secret = APIKey.create(
                user=old.user,
                name=old.name,
                can_read=old.can_read,
                can_write=old.can_write,
                end_user_required=old.end_user_required,
                expires_at=now + (old.expires_at - old.created_at) if old.expires_at else None,
            )
            if rotated_by:
                new._record(AccessRecord.Action.KEY_CREATED, rotated_by, replaces=old.prefix)
            self.expires_at = min(old.expires_at or now + overlap, now + overlap)
            APIKey.objects.using(using).filter(pk=self.pk).update(expires_at=self.expires_at)
            self._remove_from_cache(using)
        return new, secret

    def _record(self, action: AccessRecord.Action, actor: Actor, **details: str) -> None:
        details = {"key": self.prefix, "name": self.name, "user": self.user.get_username(), **details}
        AccessRecord.objects.record(user=actor, action=action, details=details)

    def _remove_from_cache(self, using: str) -> None:
        """Drop the key from this process's cache, after it was changed in the database `using`.

        Drop it for every database and schema: tenants may share the row, or read it through different aliases. A
        request of another thread may read the old row until the transaction is committed, so drop the key then, too.
        """
        _drop(self.hash)
        if transaction.get_connection(using=using).in_atomic_block:
            transaction.on_commit(partial(_drop, self.hash), using=using)


def _drop(hashed: str) -> None:
    global _removals
    _removals += 1
    _cache.pop(hashed, None)


def _parse_address(text: str) -> str | None:
    """Return the IP address as each database stores it, or None if it is not an address."""
    try:
        return str(ip_address(text.partition("%")[0]))  # without the zone of a link-local address
    except ValueError:
        return None
