"""Find and create users by the name that they log in with, whatever field of the user model that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def find_user(username: str, *, include_hidden: bool = False) -> AbstractBaseUser | None:
    """Return the user with this name, or None. MariaDB and MySQL ignore the case of the name.

    `include_hidden` also finds users that the default manager of your project's user model leaves out.
    """
    User = get_user_model()
    users = User._base_manager if include_hidden else User._default_manager
    return users.filter(**{User.USERNAME_FIELD: username}).first()


def create_user(username: str, *, using: str | None = None) -> AbstractBaseUser:
    """Create a user without a password, who can use the API and cannot log in.

    Raise `ValidationError` with a message for people if the user model refuses the name or needs more than a name.
    """
    User = get_user_model()
    user = User(**{User.USERNAME_FIELD: username})
    user.set_unusable_password()
    try:
        user.full_clean()
    except ValidationError as error:
        raise ValidationError(list(_reasons(user, error))) from error
    user.save(using=using)
    return user


def _reasons(user: Any, error: ValidationError) -> Iterator[str]:
    """Yield the reasons why the user is not valid. Messages of Django about one field do not name it."""
    missing = []
    for name, messages in error.message_dict.items():
        if name in (NON_FIELD_ERRORS, user.USERNAME_FIELD):
            yield from messages
        else:
            missing.append(name)
    if missing:
        yield f"The user model also requires {', '.join(missing)}."
