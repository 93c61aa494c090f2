from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from conversations.models import APIKey
from conversations.models.api_key import SCOPES
from conversations.users import create_user, find_user

MAX_DAYS = 36_500


class Command(BaseCommand):
    help = "Creates an API key for a user and prints its secret on the last line. The secret can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="purpose of the key, shown in the admin")
        parser.add_argument(
            "--scopes", nargs="+", choices=SCOPES, default=SCOPES, help="what the key may do; default: both"
        )
        parser.add_argument("--expires-in-days", type=float, help="days until the key expires; default: it does not")
        parser.add_argument(
            "--create-user", action="store_true", help="create the user, for the API only, if it does not exist"
        )

        parser.add_argument(
            "--end-user-required", action="store_true", help="refuse requests that do not name an end user"
        )

    def handle(
        self,
        *,
        username: str,
        name: str,
        scopes: Sequence[str],
        expires_in_days: float | None,
        create_user: bool,
        end_user_required: bool,
        **options: Any,
    ) -> None:
        if len(name) > (limit := APIKey._meta.get_field("name").max_length or 0):
            raise CommandError(f"The name is longer than {limit} characters.")
        if expires_in_days is not None and not 0 < expires_in_days <= MAX_DAYS:
            raise CommandError(f"--expires-in-days must be more than 0 and at most {MAX_DAYS}.")
        try:
            user = find_user(username)
        except DatabaseError as error:
            reason = " ".join(str(error).split())
            raise CommandError(f"Can't use the database: {reason}. Run `python manage.py migrate` first?") from error
        if user is None:
            if not create_user:
                raise CommandError(f"There is no user {username!r}. Check the name, or add --create-user.")
            user = self._create_user(username)
        expires_at = None if expires_in_days is None else timezone.now() + timedelta(days=expires_in_days)
        _, secret = APIKey.create(
            user=user,
            name=name,
            can_read="read" in scopes,
            can_write="write" in scopes,
            end_user_required=end_user_required,
            expires_at=expires_at,
            created_by="manage.py create_api_key",
        )
        self.stdout.write(secret)

    def _create_user(self, username: str) -> AbstractBaseUser:
        try:
            user = create_user(username)
        except ValidationError as error:
            raise CommandError(
                f"There is no user {username!r}, and none can be created: {' '.join(error.messages)} Create the user "
                "in the admin or with createsuperuser, and run create_api_key again without --create-user."
            ) from error
        self.stderr.write(
            f"Created the user {username!r}, who can use the API and has no password. For the admin, set one with "
            "changepassword, and let a superuser grant the staff status.",
            style_func=str,
        )
        return user
