"""Use the app in a project with its own user model. A test runs this in a process of its own."""

import sys
from io import StringIO

import django
import pytest

sys.modules["drf_spectacular"] = None  # An import of this optional package fails.
django.setup()

from django.contrib.admin.utils import quote
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from conversations.models import Conversation, Item
from conversations.urls import urlpatterns
from tests.host.people.models import Person

call_command("migrate", run_syncdb=True, verbosity=0)
call_command("check", fail_level="WARNING")
call_command("makemigrations", "conversations", "people", check=True, dry_run=True)
call_command("create_conversation_groups", verbosity=0)


def refuse_user(name: str, reason: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("create_api_key", name, create_user=True)
    assert str(refused.value).startswith(f"There is no user {name!r}, and none can be created: {reason} ")
    assert "\n" not in str(refused.value)


person = Person(email="ann@example.com", is_staff=True, is_superuser=True)
person.save()
out = StringIO()
call_command("create_api_key", "ann@example.com", stdout=out)
call_command("create_api_key", "ben@example.com", create_user=True, stdout=StringIO(), stderr=StringIO())
assert Person.objects.get(email="ben@example.com").has_usable_password() is False
refuse_user("not an address", "Enter a valid email address.")
api = Client(headers={"authorization": f"Bearer {out.getvalue().strip()}"})

body = {"metadata": {"topic": "demo"}, "items": [{"role": "user", "content": "Hello!"}]}
created = api.post("/ai/openai/v1/conversations", body, content_type="application/json")
assert created.status_code == 200, created.content
conversation_id = created.json()["id"]
assert Conversation.objects.get().owner == person

reference = {"items": [{"role": "user", "content": "1"}, {"type": "item_reference", "id": "msg_none"}]}
refused = api.post(f"/ai/openai/v1/conversations/{conversation_id}/items", reference, content_type="application/json")
assert refused.status_code == 404, refused.content
assert Item.objects.count() == 1
assert api.get("/ai/openai/v1/nowhere").json()["error"]["message"] == "Invalid URL (GET /ai/openai/v1/nowhere)"
assert Client().post("/ai/openai/v1/conversations").status_code == 401

# Every operation ignores the arguments of a prefix.
HELLO = {"role": "user", "content": "Hi!", "id": "msg_1"}
BODIES = {
    "conversation-list": {"items": [HELLO]},
    "conversation-detail": {"metadata": {}},
    "conversation-fork": {},
    "conversation-rewind": {"after": "msg_1"},
    "item-list": {"items": [HELLO | {"id": "msg_2"}]},
}
QUERIES = {"metadata-value-list": {"key": "topic"}}
operations = [(each, method) for each in urlpatterns if each.name for method in each.callback.actions]
for prefix in ("/tenants/acme/v1", "/numbers/1/v1"):
    for pattern, method in operations:
        conversation = Conversation.objects.create_with_items(owner=person, items=[HELLO])
        path = str(pattern.pattern).replace("<str:conversation_id>", conversation.pk).replace("<str:item_id>", "msg_1")
        data = BODIES[pattern.name] if method == "post" else QUERIES.get(pattern.name)
        response = getattr(api, method)(f"{prefix}/{path}", data, content_type="application/json")
        assert response.status_code == 200, (method, path, response.content)
    assert api.get(f"{prefix}/responses").status_code == 404

staff = Client()
staff.force_login(person)
for path in (
    "",
    "conversation/",
    "conversation/overview/",
    f"conversation/{conversation_id}/change/",
    "apikey/",
    "apikey/add/",
    "accessrecord/",
):
    page = staff.get(f"/staff/conversations/{path}")
    assert page.status_code == 200, (path, page.status_code)
assert "Hello!" in staff.get(f"/staff/conversations/conversation/{conversation_id}/change/").content.decode()
# With ATOMIC_REQUESTS, too, an item is redacted in several transactions.
item = Conversation.objects.get(pk=conversation_id).items.first()
url = reverse("admin:conversations_conversation_redact", args=[quote(conversation_id), item.item_id])
assert staff.post(url, {"reason": "Sent to us by mistake."}).status_code == 302
assert "Hello!" not in staff.get(f"/staff/conversations/conversation/{conversation_id}/change/").content.decode()
