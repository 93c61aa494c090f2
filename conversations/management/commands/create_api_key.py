from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from conversations.models import APIKey
from conversations.users import create_user, find_user


class Command(BaseCommand):
    help = "Creates an API key for a user and prints its secret on the last line. The secret can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="purpose of the key, shown in the admin")
        parser.add_argument(
            "--create-user", action="store_true", help="create the user, for the API only, if it does not exist"
        )

    def handle(self, *, username: str, name: str, create_user: bool, **options: Any) -> None:
        if len(name) > (limit := APIKey._meta.get_field("name").max_length or 0):
            raise CommandError(f"The name is longer than {limit} characters.")
        user = find_user(username)
        if user is None:
            if not create_user:
                raise CommandError(f"There is no user {username!r}. Check the name, or add --create-user.")
            user = self._create_user(username)
        _, secret = APIKey.create(user=user, name=name)
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
