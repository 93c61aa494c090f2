"""The code blocks of the pages for Django developers, run in a new Django project."""

import pytest
from django.db import connection

from tests.docs.pages import DOCS, read_blocks

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="uses SQLite, whatever the suite runs on")

CREATE_DEMO = """
from django.contrib.auth import get_user_model
from conversations.models import Conversation
from conversations.schema.items import validate_items

ann = get_user_model().objects.get(username="ann")
items = validate_items([{"role": "user", "content": "Hello!"}])
Conversation.objects.create_with_items(owner=ann, metadata={"topic": "demo"}, items=items)
"""
# The admin of the page restricts bob to his own conversations, and the API accepts the session of the admin.
USE_ADMIN_AND_SESSION = """
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from conversations.models import Conversation
from tickets.models import Ticket

bob = get_user_model().objects.create_user("bob", is_staff=True)
bob.groups.add(Group.objects.get(name="Conversation readers"))
Ticket.objects.create(conversation=Conversation.objects.create_with_items(owner=bob))
for user in get_user_model().objects.order_by("username"):
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    page = client.get("/admin/conversations/conversation/").content.decode()
    in_admin = sorted(row.owner.username for row in Conversation.objects.all() if row.pk in page)
    in_api = client.get("/v1/conversations").json()["data"]
    counted = client.get("/site/v1/conversations").json()["data"]
    assert [{**row, "item_count": Conversation.objects.get(pk=row["id"]).item_count} for row in in_api] == counted
    print(user, in_admin, len(in_api))
"""


@pytest.mark.slow
def test_every_block_about_integration_runs(host_project):
    for block in read_blocks(DOCS / "django-integration.md"):
        host_project.run(block)
    for command in ("makemigrations tickets", "migrate", "check --fail-level WARNING"):
        host_project.execute("python", "manage.py", *command.split())
    output = host_project.execute("python", "manage.py", "shell", "-c", USE_ADMIN_AND_SESSION)
    assert output.splitlines()[-2:] == [f"ann {['ann'] * 5 + ['bob']} 6", "bob ['bob'] 1"]


@pytest.mark.slow
def test_every_block_about_the_query_language_runs(integrated_project):
    integrated_project.execute("python", "manage.py", "shell", "-c", CREATE_DEMO)
    for block in read_blocks(DOCS / "query-language.md"):
        integrated_project.run(block)
