"""Delete conversations that rows of the project refer to. A test runs this in a process of its own."""

from io import StringIO

import django

django.setup()

from django.core.management import call_command
from django.db import connections
from django.test import Client

from conversations.db import batching
from conversations.models import APIKey, Conversation, Item
from conversations.schema.items import validate_items
from tests.host.notes.models import Dispute, Note, Quote, Receipt, Ticket
from tests.host.people.models import Person

call_command("migrate", run_syncdb=True, verbosity=0)
call_command("makemigrations", "notes", check=True, dry_run=True)
person = Person.objects.create(email="ann@example.com")
batching.AdaptiveBatch.seconds = 0  # Each transaction then has the smallest batch.


def create_conversation(count: int) -> Conversation:
    conversation = Conversation.objects.create_with_items(owner=person, metadata={"topic": "old"})
    conversation.add_items(items=validate_items([{"role": "user", "content": "Hello!"}]) * count)
    return conversation


def get_item(conversation: Conversation, number: int) -> Item:
    return conversation.items.get(position=number)


# The API refuses to delete what the project's rows protect, in a way that the official clients do not retry.
_, secret = APIKey.create(user=person)
api = Client(headers={"authorization": f"Bearer {secret}"})
for is_atomic in (False, True):
    connections["default"].settings_dict["ATOMIC_REQUESTS"] = is_atomic
    quoted, disputed, receipted = (create_conversation(2) for _ in range(3))
    protecting = [Quote.objects.create(item=get_item(quoted, 1)), Dispute.objects.create(conversation=disputed)]
    paths = [f"{quoted.pk}/items/{get_item(quoted, 1).item_id}", quoted.pk, disputed.pk]
    if not is_atomic:  # Otherwise, a database would not check DO_NOTHING's constraint before the end of the request.
        protecting.append(Receipt.objects.create(conversation=receipted))
        paths.append(receipted.pk)
    for path in paths:
        refused = api.delete(f"/ai/openai/v1/conversations/{path}")
        assert refused.status_code == 409, (path, refused.content)
        assert refused["x-should-retry"] == "false"
        name = path.rpartition("/")[2]
        message = f"'{name}' can't be deleted, because other records on this server refer to it or to a part of it."
        assert refused.json()["error"]["message"] == message
    later_quote = Quote.objects.create(item=get_item(quoted, 2))
    rewind = f"/ai/openai/v1/conversations/{quoted.pk}/rewind"
    refused = api.post(rewind, {"after": get_item(quoted, 1).item_id}, content_type="application/json")
    assert refused.status_code == 409, refused.content
    later_quote.delete()
    assert Conversation.objects.count() == 3
    assert Item.objects.count() == 6
    for row in protecting:
        row.delete()
    for path in paths:
        deleted = api.delete(f"/ai/openai/v1/conversations/{path}")
        assert deleted.status_code == 200, (path, deleted.content)
    assert Conversation.objects.count() == is_atomic
    Conversation.objects.all().delete()

for count in (3, 1_000):
    free, with_note, quoted, disputed, last = (create_conversation(count) for _ in range(5))
    Note.objects.create(item=get_item(with_note, 2))
    Note.objects.create(item=get_item(with_note, count))
    quote = Quote.objects.create(item=get_item(quoted, count))
    dispute = Dispute.objects.create(conversation=disputed)
    tickets = [Ticket.objects.create(conversation=conversation) for conversation in (free, quoted)]

    out = StringIO()
    call_command("delete_conversations", query="topic:old", no_input=True, stdout=out)
    expected = f"Deleted 3 conversations with {3 * count:,} items.\nKept 2 conversations that other rows point to.\n"
    assert out.getvalue() == expected, out.getvalue()
    assert set(Conversation.objects.all()) == {quoted, disputed}
    for conversation in (quoted, disputed):
        conversation.refresh_from_db()
        assert conversation.item_count == conversation.items.count() == count
    assert not Note.objects.exists()
    assert [Ticket.objects.get(pk=ticket.pk).conversation for ticket in tickets] == [None, quoted]

    quote.delete()
    dispute.delete()
    call_command("delete_conversations", query="topic:old", no_input=True, stdout=StringIO())
    assert not Conversation.objects.exists()
    assert not Item.objects.exists()
