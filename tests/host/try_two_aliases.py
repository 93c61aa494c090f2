"""Use the app without a default database, and with a replica that never gets a row, so that no verb can read from it.

A test runs this in a process of its own.
"""

import json
from io import BytesIO, StringIO

import django
import pytest
from asgiref.sync import async_to_sync

django.setup()

from django.core.management import call_command
from django.db import IntegrityError
from django.db.models.signals import pre_delete
from django.test import Client

from conversations.contrib.agents import ConversationSession
from conversations.deletion import BulkDelete, purge_trash
from conversations.errors import APIError
from conversations.metadata_index import find_differences, repair
from conversations.models import (
    APIKey,
    Conversation,
    DeletedConversation,
    Item,
    ItemText,
    MetadataPair,
    Overview,
    Preferences,
    SavedView,
)
from conversations.overview.rollup import refresh
from conversations.retention.erasure import Erasure
from conversations.retention.holds import place_hold, release_hold
from conversations.retention.person import Person as ErasedPerson
from conversations.retention.redaction import redact_item
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from conversations.transfer.importer import import_conversations
from conversations.trash import move_to_trash, restore
from tests.host.people.models import Person
from tests.host.two_aliases import PrimaryReplicaRouter

call_command("migrate", database="replica", run_syncdb=True, verbosity=0)
call_command("migrate", database="primary", run_syncdb=True, verbosity=0)
call_command("create_conversation_groups", verbosity=0)

conversations, items = Conversation.objects.using("primary"), Item.objects.using("primary")
texts, pairs = ItemText.objects.using("primary"), MetadataPair.objects.using("primary")
person = Person.objects.create(email="ann@example.com", is_staff=True, is_superuser=True)
HELLO = validate_items([{"role": "user", "content": "Hello!"}])


def state() -> list[list[object]]:
    return [list(rows.order_by("pk").values_list()) for rows in (conversations, items, texts, pairs)]


def fail(sender: object, **kwargs: object) -> None:
    raise IntegrityError("refused")


# A verb that fails changes nothing.
conversation = Conversation.objects.create_with_items(owner=person, metadata={"topic": "old"}, items=HELLO * 2)
before = state()
[first, second] = items.order_by("position")
for refuse, verb in (
    (ItemText, lambda: conversation.delete_item(item_id=first.item_id)),
    (None, lambda: conversation.replace_metadata({"topic": None}, validate=False)),
    (ItemText, lambda: move_to_trash(conversation)),
):
    if refuse:
        pre_delete.connect(fail, sender=refuse)
    with pytest.raises(IntegrityError):
        verb()
    pre_delete.disconnect(fail, sender=refuse)
    assert state() == before
    conversation.refresh_from_db(using="primary")

# Verbs read and write one database.
conversation.replace_metadata(metadata={"topic": "new"})
conversation.delete_item(item_id=first.item_id)
[added] = conversation.add_items(items=HELLO)
other = Conversation.objects.create_with_items(owner=person, items=[{"type": "item_reference", "id": added.item_id}])
assert [item.data for item in items.filter(conversation=other)] == [added.data]
assert conversation.item_count == items.filter(conversation=conversation).count() == 2

fork = conversation.fork()
assert items.filter(conversation=fork).count() == 2
redact_item(fork, added.item_id, reason="Sent by mistake.", redacted_by=person)
assert "Hello" not in str(items.get(conversation=fork, item_id=added.item_id).data)
assert place_hold(fork, reason="A case.", placed_by=person)
with pytest.raises(APIError, match="legal hold"):
    fork.rewind(after=None)
assert release_hold(fork, reason="It is over.", released_by=person)
fork.rewind(after=None)
assert fork.item_count == items.filter(conversation=fork).count() == 0

line = {"object": "conversation", "id": "conv_imported", "created_at": "2026-01-01T00:00:00Z", "metadata": {}}
line |= {"owner": person.email, "item_count": 0, "last_position": 0, "last_item_at": None}
for _ in range(2):
    [outcome] = import_conversations(BytesIO(json.dumps(line).encode()), owner=person)
    assert outcome.reason == "", outcome
session = ConversationSession(person, metadata={"topic": "run"}, end_user="eve")
async_to_sync(session.add_items)([{"role": "user", "content": "Hello!"}])
assert len(async_to_sync(session.get_items)()) == len(async_to_sync(session.get_items)(1)) == 1
async_to_sync(session.pop_item)()
assert items.filter(conversation=session.session_id).count() == 0
[*_] = Erasure(ErasedPerson(end_user="eve"), erased_by=person)
assert set(conversations.all()) == {conversation, other, fork, Conversation(pk="conv_imported")}
conversations.filter(pk__in=[fork.pk, "conv_imported"]).delete()

texts.all().delete()
call_command("fill_full_text", verbosity=0, stdout=StringIO())
assert texts.count() == items.count() == 3
pairs.all().delete()
assert find_differences([conversation.pk], using="primary")
assert repair(conversation.pk)
assert pairs.get().value == "new"

copy = move_to_trash(conversation, deleted_by=person)
assert conversations.get() == other
restore(copy)
conversation = conversations.get(pk=copy.conversation_id)
assert items.filter(conversation=conversation).count() == 2
assert not DeletedConversation.objects.using("primary").exists()
[*_] = refresh()
assert Overview.objects.using("primary").current()
SavedView(owner=person, name="first", is_default=True).save()
SavedView(owner=person, name="second", is_default=True).save()
assert SavedView.objects.using("primary").get(is_default=True).name == "second"
assert Preferences.objects.save_choices(person, one=1) == {"one": 1}
assert Preferences.objects.save_choices(person, two=2) == {"one": 1, "two": 2}

# The API reads from the replica, which has everything now. A request that writes still uses the primary alone.
PrimaryReplicaRouter.db_for_read = PrimaryReplicaRouter.db_for_write
key, secret = APIKey.create(user=person)
api = Client(headers={"authorization": f"Bearer {secret}"})
url = f"/ai/openai/v1/conversations/{conversation.pk}"
for method, path, body in (
    ("post", "", {"metadata": {"topic": "old"}}),
    ("get", "/items", None),
    ("delete", f"/items/{added.item_id}", None),
    ("delete", "", None),
):
    response = getattr(api, method)(f"{url}{path}", body, content_type="application/json")
    assert response.status_code == 200, (method, path, response.content)
key.revoke()
assert api.get("/ai/openai/v1/conversations").status_code == 401

staff = Client()
staff.force_login(person)
Conversation.objects.create_with_items(owner=person, metadata={"topic": "old"}, items=HELLO)
confirmed = {"scope": "matching", "expected": "2", "typed": "2", "deleted_count": 0, "kept_count": 0, "held_count": 0}
confirmed["newest_id"] = conversations.order_by("pk").last().pk
page = staff.post("/staff/conversations/conversation/delete/", confirmed)
assert page.status_code == 302, page.content.decode()
assert not conversations.exists()
assert DeletedConversation.objects.using("primary").count() == 2
DeletedConversation.objects.using("primary").update(deleted_at="2020-01-01T00:00:00Z")
assert sum(purge_trash()) == 2

Conversation.objects.create_with_items(owner=person, metadata={"topic": "old"}, items=HELLO)
[*_] = BulkDelete(Conversation.objects.all(), query=parse_query("topic:old"))
assert not conversations.exists()
