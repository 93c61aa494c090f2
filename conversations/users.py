"""Find users by the name that they log in with, whatever field of the user model that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def find_user(username: str, *, include_hidden: bool = False) -> AbstractBaseUser | None:
    """Return the user with this name, or None. MariaDB and MySQL ignore the case of the name.

    `include_hidden` also finds users that the default manager of your project's user model leaves out.
    """
    User = get_user_model()
    users = User._base_manager if include_hidden else User._default_manager
    return users.filter(**{User.USERNAME_FIELD: username}).first()
