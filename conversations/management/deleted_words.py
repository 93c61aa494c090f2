"""The option `--rebuild-index` of commands that delete conversations for good."""

from argparse import ArgumentParser

from django.core.management.base import OutputWrapper
from django.db import router

from conversations.models import ItemText


def add_rebuild_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--rebuild-index",
        action="store_true",
        help="rebuild the full-text index, which otherwise can keep single words of deleted messages on PostgreSQL, "
        "MariaDB and MySQL; on the latter two, writes wait until it is rebuilt",
    )


def remove_deleted_words(stdout: OutputWrapper, *, rebuild_index: bool) -> None:
    """Rebuild the full-text index if `rebuild_index` is true, and print whether it can have words of deleted rows."""
    texts = ItemText.objects.using(router.db_for_write(ItemText))
    if rebuild_index:
        texts.rebuild_index()
        stdout.write("Rebuilt the full-text index: it has no words of deleted messages.")
    elif texts.keeps_deleted_words():
        stdout.write(
            "The full-text index can keep single words of deleted messages, which no search finds. To remove them, run "
            "this command with --rebuild-index."
        )
