from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import CommandError

from conversations.users import find_user


def get_user(username: str) -> AbstractBaseUser:
    """Return the user with this name. Raise `CommandError` for an unknown name."""
    user = find_user(username)
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    return user


def get_option_user(username: str | None) -> AbstractBaseUser | None:
    """Return the user that an option names, or None without the option. Raise `CommandError` for an unknown name."""
    return None if username is None else get_user(username)
