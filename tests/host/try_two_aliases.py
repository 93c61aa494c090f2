"""Use the app without a default database, and with a replica that never gets a row, so that no verb can read from it.

A test runs this in a process of its own.
"""

from io import StringIO

import django
import pytest

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError  # noqa: E402
from django.db.models.signals import pre_delete  # noqa: E402
from django.test import Client  # noqa: E402

from conversations.deletion import BulkDelete, purge_trash  # noqa: E402
from conversations.metadata_index import find_differences, repair  # noqa: E402
from conversations.models import (  # noqa: E402
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
from conversations.overview.rollup import refresh  # noqa: E402
from conversations.schema.items import validate_items  # noqa: E402
from conversations.schema.query.parser import parse_query  # noqa: E402
from conversations.trash import move_to_trash, restore  # noqa: E402
from tests.host.people.models import Person  # noqa: E402
from tests.host.two_aliases import PrimaryReplicaRouter  # noqa: E402

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
