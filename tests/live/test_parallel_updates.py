import random
import threading

from conversations.models import Conversation, MetadataPair
from tests.live.client import Client

KEYS = ["topic", "tenant", "channel", "a__b", "ключ"]
UPDATES = 25


def test_parallel_updates_keep_the_metadata_index_in_sync(live_service):
    maker = Client(live_service.port, live_service.secret)
    conversation_ids = [maker.post("/conversations")[1]["id"] for _ in range(2)]
    maker.close()
    statuses = []

    def update(number: int) -> None:
        choose = random.Random(number)
        client = Client(live_service.port, live_service.secret)
        for step in range(UPDATES):
            keys = choose.sample(KEYS, choose.randint(0, len(KEYS)))
            metadata = dict.fromkeys(keys, f"{number}.{step}")
            statuses.append(client.post(f"/conversations/{choose.choice(conversation_ids)}", metadata=metadata)[0])
        client.close()

    updating = [threading.Thread(target=update, args=[number]) for number in range(6)]
    for thread in updating:
        thread.start()
    for thread in updating:
        thread.join()
    assert statuses == [200] * (6 * UPDATES)
    with live_service.database.open() as alias:
        for conversation in Conversation.objects.using(alias).filter(pk__in=conversation_ids):
            pairs = MetadataPair.objects.using(alias).filter(conversation=conversation)
            assert dict(pairs.values_list("key", "value")) == conversation.metadata
            assert set(pairs.values_list("owner", flat=True)) <= {conversation.owner_id}
