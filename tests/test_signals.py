from io import BytesIO

import pytest
from django.db import connections, transaction

from conversations import signals
from conversations.deletion import BulkDelete, delete_conversation
from conversations.errors import APIError
from conversations.models import Conversation
from conversations.retention.holds import place_hold
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export
from conversations.transfer.importer import import_conversations
from conversations.trash import move_to_trash, restore

HELLO = {"role": "user", "content": "Hello!"}
SIGNALS = {name: value for name, value in vars(signals).items() if isinstance(value, signals.Signal)}


@pytest.fixture
def received(transactional_db):
    """The signals that were sent, as name and arguments, outside of a transaction."""
    calls = []

    def record(name):
        def receive(signal, sender, **arguments):
            assert sender is Conversation
            assert not connections[Conversation.objects.db].in_atomic_block
            calls.append((name, {key: [*rows] if key != "conversation" else rows for key, rows in arguments.items()}))

        return receive

    receivers = {name: record(name) for name in SIGNALS}
    for name, signal in SIGNALS.items():
        signal.connect(receivers[name], sender=Conversation)
    yield calls
    for name, signal in SIGNALS.items():
        signal.disconnect(receivers[name], sender=Conversation)


@pytest.fixture
def conversation(received, alice) -> Conversation:
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=[HELLO])
    received.clear()
    return conversation


def ids(rows):
    return [row.pk for row in rows]


@pytest.mark.parametrize("item", [HELLO, HELLO | {"id": "msg_1"}])
def test_creation_sends_one_signal_with_the_items(received, alice, item):
    conversation = Conversation.objects.create_with_items(owner=alice, items=[item])
    items = list(conversation.items.all())
    assert received == [("conversation_created", {"conversations": [conversation], "items": items})]


def test_methods_of_django_send_one_signal_too(received, alice):
    one = Conversation.objects.create(owner=alice)
    many = Conversation.objects.bulk_create([Conversation(owner=alice), Conversation(owner=alice)])
    assert received == [
        ("conversation_created", {"conversations": [one], "items": []}),
        ("conversation_created", {"conversations": many, "items": []}),
    ]


def test_deletions_by_methods_of_django_send_one_signal_too(received, alice):
    rows = [
        Conversation.objects.create_with_items(owner=alice, metadata={"n": str(n)}, items=[HELLO]) for n in range(3)
    ]
    keys = ids(rows)
    received.clear()
    rows[0].delete()
    Conversation.objects.order_by("pk").only("pk").delete()
    assert [name for name, _ in received] == ["conversation_deleted"] * 2
    deleted = [arguments["conversations"] for _, arguments in received]
    assert [sorted(ids(each)) for each in deleted] == [keys[:1], sorted(keys[1:])]
    assert sorted(row.metadata["n"] for each in deleted for row in each) == ["0", "1", "2"]


def test_refused_deletions_send_nothing(received, conversation):
    place_hold(conversation, reason="", placed_by="test")
    for delete in (Conversation.objects.get().delete, Conversation.objects.all().delete):
        with pytest.raises(APIError):
            delete()
    assert received == []


def test_fork_sends_one_signal_with_the_copied_items(received, conversation):
    conversation.add_items([HELLO])
    received.clear()
    fork = conversation.fork(after=conversation.items.first().item_id)
    [copied] = fork.items.all()
    assert received == [("conversation_created", {"conversations": [fork], "items": [copied]})]


@pytest.mark.parametrize("item", [HELLO, HELLO | {"id": "msg_1"}])
def test_append_sends_one_signal_with_the_rows(received, conversation, item):
    rows = conversation.add_items([item, {"role": "assistant", "content": "Hi."}])
    conversation.add_items([])
    assert received == [("items_added", {"conversation": conversation, "items": rows})]


def test_changes_send_the_rows(received, conversation):
    item = conversation.items.get()
    conversation.replace_metadata({"topic": "new"})
    conversation.delete_item(item.item_id)
    assert received == [
        ("metadata_replaced", {"conversation": conversation}),
        ("item_deleted", {"conversation": conversation, "items": [item]}),
    ]
    assert received[0][1]["conversation"].metadata == {"topic": "new"}


def test_deletions_and_restorations_send_the_conversations(received, conversation):
    conversation_id, metadata = conversation.pk, conversation.metadata
    restore(move_to_trash(conversation))
    delete_conversation(Conversation.objects.get())
    assert [name for name, _ in received] == ["conversation_deleted", "conversation_restored", "conversation_deleted"]
    for _, arguments in received:
        assert ids(arguments["conversations"]) == [conversation_id]
        assert arguments["conversations"][0].metadata == metadata
    assert len(received[1][1]["items"]) == 1


def test_deletion_of_all_items_sends_one_signal_with_them(received, conversation):
    conversation.add_items([HELLO])
    items = list(conversation.items.all())
    received.clear()
    conversation.rewind(after=None)
    assert received == [("item_deleted", {"conversation": conversation, "items": items})]


def test_bulk_deletion_sends_a_signal_for_each_batch(received, alice):
    rows = [Conversation.objects.create_with_items(owner=alice, items=[HELLO] * 3) for _ in range(4)]
    received.clear()
    for _ in BulkDelete(Conversation.objects.all(), query=parse_query(""), max_rows=8):
        pass
    assert {name for name, _ in received} == {"conversation_deleted"}
    assert sorted(pk for _, arguments in received for pk in ids(arguments["conversations"])) == sorted(ids(rows))
    assert 1 < len(received) < len(rows)


def test_import_sends_a_signal_for_each_batch(received, alice):
    for number in range(3):
        Conversation.objects.create_with_items(owner=alice, items=[HELLO] * number)
    rows, text = list(Conversation.objects.order_by("pk")), b"".join(Export(Conversation.objects.all()))
    for row in rows[1:]:
        delete_conversation(Conversation.objects.get(pk=row.pk))
    received.clear()
    assert len(list(import_conversations(BytesIO(text)))) == 3
    [(name, arguments)] = received
    assert (name, arguments["conversations"], len(arguments["items"])) == ("conversation_created", rows[1:], 3)


def test_transaction_that_is_rolled_back_sends_nothing(received, conversation):
    with transaction.atomic(using=conversation.write_alias):
        conversation.add_items([HELLO])
        conversation.replace_metadata({"topic": "new"})
        move_to_trash(conversation)
        transaction.set_rollback(True, using=conversation.write_alias)
    assert received == []


def test_error_of_a_receiver_does_not_reach_the_caller(conversation, caplog):
    def fail(**arguments):
        raise RuntimeError("receiver")

    signals.items_added.connect(fail)
    try:
        assert len(conversation.add_items([HELLO])) == 1
    finally:
        signals.items_added.disconnect(fail)
    assert conversation.items.count() == 2
    assert "receiver" in caplog.text


def test_verbs_register_nothing_if_nobody_listens(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, items=[HELLO])
    conversation.add_items([HELLO])
    conversation.replace_metadata({})
    conversation.delete_item(conversation.items.first().item_id)
    conversation.fork().rewind(after=None)
    restore(move_to_trash(conversation))
    text = b"".join(Export(Conversation.objects.all()))
    delete_conversation(Conversation.objects.first())
    Conversation.objects.first().delete()
    assert {outcome.kind for outcome in import_conversations(BytesIO(text))} == {"added"}
    for _ in BulkDelete(Conversation.objects.all(), query=parse_query("")):
        pass
    Conversation.objects.bulk_create([Conversation(owner=alice)])
    Conversation.objects.all().delete()
    callbacks = connections[Conversation.objects.db].run_on_commit
    assert not any("Signal" in str(callback) for _, callback, *_ in callbacks)
    assert not any(signal.has_listeners(Conversation) for signal in SIGNALS.values())
