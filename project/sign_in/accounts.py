"""The users of people at the identity provider, and the rights that their groups give and take."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, router, transaction

from project.models import Identity

SUPERUSER = "superuser"
MAX_USERNAME = 150  # characters in Django
# The fields of a user that each sign-in renews, with the claims and the lengths in Django.
PERSONAL_FIELDS = {
    "first_name": ("given_name", 150),
    "last_name": ("family_name", 150),
    "email": ("email", 254),
}

logger = logging.getLogger(__name__)


class SignInRefused(Exception):
    """The provider knows the person, but the person may not sign in here. `reason` names the text of the page."""

    def __init__(self, reason: str, claims: dict[str, Any]) -> None:
        super().__init__(f"{reason}, subject {claims['sub']!r}")
        self.reason = reason


class ProviderBackend(ModelBackend):
    """The authentication backend of users whom the provider has signed in. It takes no password."""

    def authenticate(self, *args: Any, **kwargs: Any) -> None:
        return None


def sign_in(claims: dict[str, Any]) -> User:
    """Return the user of the person with these claims, with the rights of the person's groups.

    A user who has lost the groups loses the rights before the sign-in is refused.
    """
    rights = _rights(claims)
    using = router.db_for_write(Identity)
    with transaction.atomic(using=using):
        identity = _find_identity(claims, using=using)
        if identity is not None:
            user = identity.user
        elif rights:
            user = _new_user(claims, using=using)
        else:
            raise SignInRefused("group", claims)
        _set_rights(user, rights, claims, using=using)
    if not rights:
        raise SignInRefused("group", claims)
    if not user.is_active:
        raise SignInRefused("inactive", claims)
    return user


def _rights(claims: dict[str, Any]) -> set[str]:
    """Return the names of Django's groups, and "superuser", that the person's groups are mapped to."""
    groups = claims.get(settings.OIDC_GROUPS_CLAIM)
    names = groups if isinstance(groups, list) else [groups]
    return {settings.OIDC_GROUPS[name] for name in names if isinstance(name, str) and name in settings.OIDC_GROUPS}


def _username(claims: dict[str, Any]) -> str:
    username = claims.get(settings.OIDC_USERNAME_CLAIM)
    if not isinstance(username, str) or not 0 < len(username.strip()) <= MAX_USERNAME or "\x00" in username:
        raise SignInRefused("name", claims)
    return username.strip()


def _find_identity(claims: dict[str, Any], *, using: str) -> Identity | None:
    identities = Identity.objects.using(using).select_related("user")
    return identities.filter(issuer=claims["iss"], subject=claims["sub"]).first()


def _new_user(claims: dict[str, Any], *, using: str) -> User:
    """Create a user for the person, or connect the user of that name if the settings say so."""
    username = _username(claims)
    users = User.objects.db_manager(using)
    user = users.filter(username=username).first()
    if user and (not settings.OIDC_CONNECT_EXISTING_USERS or user.identities.exists()):
        raise SignInRefused("taken", claims)
    try:
        with transaction.atomic(using=using):
            user = user or users.create_user(username)
            Identity.objects.using(using).create(user=user, issuer=claims["iss"], subject=claims["sub"])
    except IntegrityError as error:  # Another process was faster.
        raise SignInRefused("again", claims) from error
    return user


def _set_rights(user: User, rights: set[str], claims: dict[str, Any], *, using: str) -> None:
    """Give staff status and the mapped groups, or take them. Groups that no mapping names stay as they are."""
    user.is_staff = bool(rights)
    user.is_superuser = SUPERUSER in rights
    for name, (claim, length) in PERSONAL_FIELDS.items():
        if isinstance(value := claims.get(claim), str):
            setattr(user, name, value.replace("\x00", "")[:length])
    user.save(using=using, update_fields=["is_staff", "is_superuser", *PERSONAL_FIELDS])
    names = set(settings.OIDC_GROUPS.values()) - {SUPERUSER}
    mapped = {group.name: group for group in Group.objects.using(using).filter(name__in=names)}
    if missing := names - mapped.keys():
        logger.error("OIDC_GROUPS names groups that do not exist: %s", ", ".join(sorted(missing)))
    user.groups.add(*(group for name, group in mapped.items() if name in rights))
    user.groups.remove(*(group for name, group in mapped.items() if name not in rights))
