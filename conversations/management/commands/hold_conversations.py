from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.errors import APIError
from conversations.management.progress import count_of
from conversations.models import Conversation, DeletedConversation
from conversations.retention.holds import place_hold, release_hold
from conversations.schema.query.nodes import EVERYTHING
from conversations.schema.query.parser import parse_query

ACTOR = "manage.py hold_conversations"


class Command(BaseCommand):
    help = (
        "Places conversations, also in the trash, on legal hold: they can be read and appended to, but not changed or "
        "deleted until the hold is released with --release."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="CONVERSATION", help="the id of a conversation")
        parser.add_argument("--query", help="also all conversations that match, in the query language")
        parser.add_argument("--reason", default="", help="why, for the access log")
        parser.add_argument("--release", action="store_true", help="release the holds instead")

    def handle(self, *, ids: list[str], query: str | None, reason: str, release: bool, **options: Any) -> None:
        if not ids and query is None:
            raise CommandError("Name conversations by their ids or by --query.")
        if not release and not reason.strip():
            raise CommandError("Give the reason of the hold with --reason.")
        rows, unknown = self._find(ids)
        if unknown:
            raise CommandError(f"There is no conversation with this id: {', '.join(unknown)}. Nothing was changed.")
        rows += self._matching(query) if query is not None else []
        changed = 0
        for row in rows:
            if release:
                changed += release_hold(row, reason=reason, released_by=ACTOR)
            else:
                changed += place_hold(row, reason=reason, placed_by=ACTOR)
        done = "Released the hold on" if release else "Placed a hold on"
        self.stdout.write(f"{done} {count_of(changed, 'conversation')}.")
        if unchanged := len(rows) - changed:
            self.stdout.write(f"Left {count_of(unchanged, 'conversation')} as they were.")

    def _find(self, ids: list[str]) -> tuple[list[Conversation | DeletedConversation], list[str]]:
        rows: list[Conversation | DeletedConversation] = []
        unknown = []
        for conversation_id in dict.fromkeys(ids):
            row = Conversation.objects.filter(pk=conversation_id).first()
            copies = DeletedConversation.objects.filter(conversation_id=conversation_id)
            found = [*([row] if row else []), *copies]
            rows += found
            unknown += [] if found else [conversation_id]
        return rows, unknown

    def _matching(self, query: str) -> list[Conversation]:
        try:
            parsed = parse_query(query)
            if parsed == EVERYTHING:
                raise CommandError("An empty query would match everything: add a condition.")
            return list(Conversation.objects.all().matching(parsed))
        except APIError as error:
            raise CommandError(error.message) from error
