from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from conversations.conf import app_settings
from conversations.management.api_keys import get_api_key


class Command(BaseCommand):
    help = "Revokes an API key. Processes that have just used it may accept it for CONVERSATIONS_API_KEY_SECONDS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="its prefix or its secret; '-' reads either from standard input")

    def handle(self, *, key: str, **options: Any) -> None:
        api_key = get_api_key(key)
        if api_key.revoke(revoked_by="manage.py revoke_api_key"):
            seconds = f"{app_settings.api_key_seconds:g} seconds"
            self.stdout.write(f"Revoked {api_key} of {api_key.user}. Every process refuses it within {seconds}.")
        else:
            self.stdout.write(f"{api_key} of {api_key.user} was revoked before.")
