import http.client
import threading
from collections import Counter

from conversations.models import Conversation
from tests.live.client import Client, user_message
from tests.waiting import wait_until

KILLS = 3
CLIENTS = 6
CREATED = ["0.0", "0.1", "0.2", "0.3", "0.4"]
APPENDED = [["1.0", "1.1", "1.2"], ["2.0", "2.1", "2.2"]]
COMPLETE = [CREATED, CREATED + APPENDED[0], CREATED + APPENDED[0] + APPENDED[1]]


def test_acknowledged_writes_survive_kill_9_and_no_write_is_partial(service):
    service.start()
    secret = service.secret
    acknowledged = Counter()  # writes, by conversation id
    for _ in range(KILLS):
        _write_until_killed(service, secret, acknowledged)
        service.start()
    service.stop()

    with service.database.open() as alias:
        stored = {
            conversation.pk: conversation
            for conversation in Conversation.objects.using(alias).prefetch_related("items", "metadata_pairs")
        }
        assert acknowledged.keys() <= stored.keys()
        for conversation in stored.values():
            items = sorted(conversation.items.all(), key=lambda item: item.position)
            texts = [item.data["content"][0]["text"] for item in items]
            assert texts in COMPLETE
            assert COMPLETE.index(texts) + 1 >= acknowledged[conversation.pk]
            assert [item.position for item in items] == list(range(1, len(items) + 1))
            assert conversation.item_count == conversation.last_position == len(items)
            assert conversation.metadata == {"topic": "kill", "step": "1"}
            assert {pair.key: pair.value for pair in conversation.metadata_pairs.all()} == conversation.metadata


def _write_until_killed(service, secret, acknowledged):
    enough = acknowledged.total() + 60

    def write():
        client = Client(service.port, secret)
        try:
            while True:
                items = [user_message(text) for text in CREATED]
                status, response = client.post("/conversations", metadata={"topic": "kill", "step": "1"}, items=items)
                assert status == 200, response
                acknowledged[response["id"]] += 1
                for texts in APPENDED:
                    path = f"/conversations/{response['id']}/items"
                    status, added = client.post(path, items=[user_message(text) for text in texts])
                    assert status == 200, added
                    acknowledged[response["id"]] += 1
        except (OSError, http.client.HTTPException):
            pass  # The service was killed.
        finally:
            client.close()

    threads = [threading.Thread(target=write) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    wait_until(lambda: sum(list(acknowledged.values())) >= enough)
    service.kill()
    for thread in threads:
        thread.join()
    wait_until(service.is_refusing_connections)
