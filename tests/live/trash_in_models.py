"""Move a conversation to the trash and restore it, again and again, while a service serves it."""

import sys

import django


def main(conversation_id: str, times: str) -> None:
    django.setup()
    from conversations.models import Conversation
    from conversations.trash import move_to_trash, restore

    for _ in range(int(times)):
        restore(move_to_trash(Conversation.objects.get(pk=conversation_id)))


if __name__ == "__main__":
    main(*sys.argv[1:])
