"""Let commands create users of a model with a required field. A test runs this in a process of its own."""

from io import BytesIO, StringIO

import django
import pytest

django.setup()

from django.core.management import CommandError, call_command

from conversations.models import Conversation
from conversations.transfer.importer import import_conversations
from tests.host.members.models import Member

call_command("migrate", run_syncdb=True, verbosity=0)
for name, reason in (
    ("ann@example.com", "The user model also requires date_of_birth."),
    ("ann", "Enter a valid email address. The user model also requires date_of_birth."),
):
    with pytest.raises(CommandError) as refused:
        call_command("create_api_key", name, create_user=True)
    assert str(refused.value) == (
        f"There is no user {name!r}, and none can be created: {reason} Create the user in the admin or with "
        "createsuperuser, and run create_api_key again without --create-user."
    )

line = (
    b'{"object": "conversation", "id": "conv_1", "owner": "ann@example.com", "created_at": "2026-01-01T00:00:00Z", '
    b'"metadata": {}, "item_count": 0, "last_position": 0, "last_item_at": null}\n'
)
[outcome] = import_conversations(BytesIO(line), create_users=True)
assert outcome.reason == "owner: The user model also requires date_of_birth.", outcome
assert not Member.objects.exists()
assert not Conversation.objects.exists()

Member.objects.create(email="ann@example.com", date_of_birth="1990-01-01")
call_command("create_api_key", "ann@example.com", create_user=True, stdout=StringIO())
