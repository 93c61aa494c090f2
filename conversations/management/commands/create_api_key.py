from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from conversations.models import APIKey
from conversations.users import find_user


class Command(BaseCommand):
    help = "Creates an API key for a user and prints its secret on the last line. The secret can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="", help="purpose of the key, shown in the admin")
        parser.add_argument("--create-user", action="store_true", help="create the user if it does not exist")

    def handle(self, *, username: str, name: str, create_user: bool, **options: Any) -> None:
        if len(name) > (limit := APIKey._meta.get_field("name").max_length or 0):
            raise CommandError(f"The name is longer than {limit} characters.")
        user = find_user(username)
        if user is None:
            if not create_user:
                raise CommandError(f"There is no user {username!r}. Check the name, or add --create-user.")
            User = get_user_model()
            user = User._default_manager.create_user(**{User.USERNAME_FIELD: username})
        _, secret = APIKey.create(user=user, name=name)
        self.stdout.write(secret)
