from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.management.api_keys import get_api_key

MAX_HOURS = 24 * 365 * 10


class Command(BaseCommand):
    help = (
        "Creates a key with the user, name, scopes and lifetime of another, which expires after the overlap. Prints "
        "the new secret on the last line."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="prefix or secret of the old key; '-' reads either from standard input")
        parser.add_argument(
            "--overlap-hours", type=float, default=24, help="how long the old key works beside the new one; default 24"
        )

    def handle(self, *, key: str, overlap_hours: float, **options: Any) -> None:
        if not 0 <= overlap_hours <= MAX_HOURS:
            raise CommandError(f"--overlap-hours must be from 0 to {MAX_HOURS}.")
        old = get_api_key(key)
        try:
            _, secret = old.rotate(overlap=timedelta(hours=overlap_hours), rotated_by="manage.py rotate_api_key")
        except ValueError as error:
            raise CommandError(f"{error} Create one with create_api_key instead.") from error
        self.stderr.write(f"The key {old} expires at {old.expires_at:%Y-%m-%d %H:%M:%S %Z}.", style_func=str)
        self.stdout.write(secret)
