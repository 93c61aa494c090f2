"""Use Django's own methods with users whose keys are UUIDs. A test runs this in a process of its own."""

from io import StringIO

import django
import pytest

django.setup()

from django.contrib import admin
from django.core.management import call_command
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from conversations.metadata_index import find_differences
from conversations.models import APIKey, Conversation, DeletedConversation, Item
from conversations.trash import restore
from tests.host.people.models import Person

admin.site.register(Person)
call_command("migrate", run_syncdb=True, verbosity=0)
ann = Person.objects.create(email="ann@example.com", is_staff=True, is_superuser=True)
ben = Person.objects.create(email="ben@example.com")

# Plain methods keep the index in sync, or refuse.
conversations = [
    Conversation.objects.create(owner=ben, metadata={"topic": "a", "n": "1"}),
    ben.conversations.create(metadata={"topic": "b", "n": "2"}),
    *Conversation.objects.bulk_create([Conversation(owner=ben, metadata={"topic": "b"})]),
]
assert find_differences([row.pk for row in conversations]) == {}
assert set(ben.conversations.with_metadata(topic="b")) == set(conversations[1:])
for row in conversations:
    row.add_items([{"role": "user", "content": "Hello\0!"}])
first = conversations[0]
first.metadata = {"topic": "c"}
for refused in (
    first.save,
    lambda: ben.conversations.update(metadata={}),
    lambda: Conversation.objects.update(owner=ann),
):
    with pytest.raises(TypeError, match="replace_metadata"):
        refused()
assert find_differences([row.pk for row in conversations]) == {}

# Both JSON columns can be queried as a JSONField.
rows = Conversation.objects.visible_to(ben)
assert rows.get(metadata__topic="a") == first
assert rows.filter(metadata__has_key="n").count() == 2
assert rows.filter(metadata__contains={"topic": "b"}).distinct().count() == 2
assert len(rows.union(rows.filter(metadata__topic="b"))) == 3
in_order = rows.filter(metadata__has_key="n").order_by("-metadata__n")
assert list(in_order.values_list("metadata__topic", flat=True)) == ["b", "a"]
items = Item.objects.filter(conversation__owner=ben)
assert list(items.values_list("data__role", flat=True).distinct().order_by("data__role")) == ["user"]
assert items.filter(data__has_key="content", data__content__0__text="Hello\N{REPLACEMENT CHARACTER}!").count() == 3
assert items.first().data["content"][0]["text"] == "Hello\0!"

# The trash does not protect a user.
_, secret = APIKey.create(user=ben)
with pytest.raises(ProtectedError):
    ben.delete()
staff = Client()
staff.force_login(ann)
for row in conversations:
    page = staff.post(reverse("admin:conversations_conversation_delete", args=[row.pk]), {"post": "yes"})
    assert page.status_code == 302, page.content.decode()
page = staff.post(reverse("admin:people_person_delete", args=[ben.pk]), {"post": "yes"})
assert page.status_code == 302, page.content.decode()
assert not Person.objects.filter(email="ben@example.com").exists()
deleted = DeletedConversation.objects.get(conversation_id=first.pk)
assert (deleted.owner, deleted.owner_username) == (None, "ben@example.com")
page = staff.get(reverse("admin:conversations_deletedconversation_changelist"))
assert "ben@example.com" in page.content.decode()
restore(deleted, owner=ann)
assert ann.conversations.get().metadata == {"topic": "a", "n": "1"}
call_command("restore_conversations", conversations[1].pk, owner="ann@example.com", stdout=StringIO())
assert ann.conversations.count() == 2
