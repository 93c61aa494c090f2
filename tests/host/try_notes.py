"""Delete conversations that rows of the project refer to. A test runs this in a process of its own."""

from io import StringIO

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from conversations.db import batching  # noqa: E402
from conversations.models import Conversation, Item  # noqa: E402
from conversations.schema.items import validate_items  # noqa: E402
from tests.host.notes.models import Dispute, Note, Quote, Ticket  # noqa: E402
from tests.host.people.models import Person  # noqa: E402

call_command("migrate", run_syncdb=True, verbosity=0)
person = Person.objects.create(email="ann@example.com")
batching.AdaptiveBatch.seconds = 0  # Each transaction then has the smallest batch.


def create_conversation(count: int) -> Conversation:
    conversation = Conversation.create_with_items(owner=person, metadata={"topic": "old"})
    conversation.add_items(items=validate_items([{"role": "user", "content": "Hello!"}]) * count)
    return conversation


def get_item(conversation: Conversation, number: int) -> Item:
    return conversation.items.get(position=number)


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
