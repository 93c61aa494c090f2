"""Append to a conversation with the model's method, as `append_over_http` does over HTTP."""

import json
import sys

import django

from tests.live.client import user_message


def main(conversation_id: str, name: str, *_: str) -> None:
    django.setup()
    from conversations.models import Conversation
    from conversations.schema.items import validate_items

    conversation = Conversation.objects.get(pk=conversation_id)
    item_ids = []
    for number in range(40):
        items = [user_message(f"{name} {number}.{index}") for index in range(number % 3 + 1)]
        item_ids += [item.item_id for item in conversation.add_items(items=validate_items(items))]
    json.dump(item_ids, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
