"""COUNT SIZE: create COUNT conversations of SIZE items for the first API key's user, and print their ids as JSON."""

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django

django.setup()

from conversations.models import APIKey, Conversation
from conversations.schema.items import validate_items
from tests.benchmarks.workloads import EXAMPLE, SEED_ITEM


def main(count: int, size: int) -> None:
    owner = APIKey.objects.select_related("user").earliest("pk").user
    [item] = validate_items([SEED_ITEM])
    conversations = (
        Conversation.objects.create_with_items(owner=owner, metadata=EXAMPLE["metadata"], items=[item] * size)
        for _ in range(count)
    )
    json.dump([conversation.pk for conversation in conversations], sys.stdout)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
