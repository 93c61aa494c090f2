"""Append to a conversation that other processes append to as well, and print the ids of the items in order."""

import json
import sys

from tests.live.client import Client, user_message


def main(conversation_id: str, name: str, port: str, secret: str) -> None:
    client = Client(int(port), secret)
    item_ids = []
    for number in range(40):
        items = [user_message(f"{name} {number}.{index}") for index in range(number % 3 + 1)]
        status, page = client.post(f"/conversations/{conversation_id}/items", items=items)
        assert status == 200, page
        item_ids += [item["id"] for item in page["data"]]
    json.dump(item_ids, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
