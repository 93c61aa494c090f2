import re
import sys
from argparse import SUPPRESS, ArgumentParser
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries

from conversations.management.progress import count_of, show_progress
from conversations.management.users import get_user


class Command(BaseCommand):
    help = (
        "Copies conversations from OpenAI, or from another server that has its Conversations API, with their ids, "
        "metadata and items. Existing conversations are left as they are, so an interrupted run can be repeated. The "
        "other server's API key is read from the environment variable OPENAI_API_KEY, or from a file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--base-url", metavar="URL", help="such as https://example.com/v1; OPENAI_BASE_URL or OpenAI's by default"
        )
        parser.add_argument("--api-key-file", metavar="FILE", help="read the API key from this file")
        # Otherwise argparse would take it for a short form of the option before, and the error would show the key.
        parser.add_argument("--api-key", help=SUPPRESS)
        parser.add_argument("--owner", metavar="USERNAME", required=True, help="the user who will own the copies")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--ids", metavar="FILE", help="file with one id per line; - is standard input")
        source.add_argument(
            "--list", action="store_true", help="copy all conversations of the key; OpenAI has no list of them"
        )

    def handle(
        self, *, base_url: str | None, api_key_file: str | None, owner: str, ids: str | None, **options: Any
    ) -> None:
        if options["api_key"] is not None:
            raise CommandError(
                "The API key can't be an argument, which other users of this machine could read. Set OPENAI_API_KEY, "
                "or use --api-key-file."
            )
        if find_spec("openai") is None:
            raise CommandError("This command needs the package openai: pip install 'django-conversations[openai]'")
        from conversations.transfer.remote_importer import copy_conversations
        from conversations.transfer.remote_server import NoListError, RemoteError, RemoteServer

        user = get_user(owner)
        conversation_ids = _read_ids(ids) if ids else None
        api_key = _read_key(api_key_file) if api_key_file else None
        if base_url and not (urlsplit(base_url).hostname and base_url.startswith(("http://", "https://"))):
            raise CommandError(f"--base-url {base_url} is not a URL such as https://example.com/v1.")
        try:
            server = RemoteServer(base_url=base_url, api_key=api_key)
        except RemoteError as error:
            raise CommandError(f"{error} Set OPENAI_API_KEY, or use --api-key-file.") from error
        counts: Counter[str] = Counter()
        messages: list[str] = []
        stop_reason = ""
        with closing(server):
            try:
                source = server.conversation_ids() if conversation_ids is None else conversation_ids
                for copy in copy_conversations(server, source, owner=user):
                    counts[copy.kind] += 1
                    counts["items"] += copy.items
                    messages += [f"{copy.conversation_id}: {text}" for text in (copy.reason, *copy.losses) if text]
                    self._show_progress(counts, conversation_ids)
                    reset_queries()  # DEBUG keeps every query.
            except NoListError as error:
                raise CommandError(f"{error} Write the ids into a file, and use --ids.") from error
            except RemoteError as error:
                stop_reason = str(error)
            if server.is_include_refused:
                messages.append("The server refuses the parameter 'include'. Members such as images may be missing.")
        self._show_progress(counts, conversation_ids, ending="\n")
        for message in messages:
            self.stderr.write(message, style_func=str)
        self.stdout.write(
            f"Added {count_of(counts['added'], 'conversation')} and {count_of(counts['items'], 'item')}. "
            f"{counts['present']:,} were already there."
        )
        reasons = [f"Stopped early: {stop_reason}"] if stop_reason else []
        if counts["failed"]:
            reasons.append(f"{count_of(counts['failed'], 'conversation')} could not be copied.")
        if reasons:
            raise CommandError(" ".join([*reasons, "Run the command again to continue."]))

    def _show_progress(
        self, counts: Counter[str], conversation_ids: Sequence[str] | None, *, ending: str = "\r"
    ) -> None:
        done = counts["added"] + counts["present"] + counts["failed"]
        fraction = done / len(conversation_ids) if conversation_ids else None
        show_progress(self.stderr, count_of(done, "conversation"), fraction=fraction, ending=ending)


def _read_ids(file: str) -> list[str]:
    """Return the ids of a file, each once and in order."""
    text = sys.stdin.read() if file == "-" else _read_text(file)
    conversation_ids = list(dict.fromkeys(text.split()))
    if not conversation_ids:
        raise CommandError(f"{file} has no ids.")
    return conversation_ids


def _read_key(file: str) -> str:
    key = _read_text(file).strip()
    if not re.fullmatch("[!-~]+", key):  # The client would show it in an error message.
        raise CommandError(f"{file} does not contain an API key on a single line.")
    return key


def _read_text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{file} is not a text file.") from error
