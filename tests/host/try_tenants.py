"""Use the app in a project with a schema per tenant. A test runs this in a process of its own."""

from datetime import UTC, datetime
from typing import Any

import django

django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context

from conversations import api_key_secrets
from conversations.models import APIKey, Conversation
from tests.host.tenants.models import Domain, Tenant

TENANTS = ("acme", "zen")
URL = "/ai/openai/v1/conversations"
SAME_ID = "conv_in_both_tenants"


def send(tenant: str, secret: str, path: str = URL, body: Any = None) -> Any:
    client = Client(headers={"authorization": f"Bearer {secret}", "host": f"{tenant}.example.com"})
    return client.get(path) if body is None else client.post(path, body, content_type="application/json")


def topics(tenant: str) -> set[str]:
    response = send(tenant, secrets[tenant])
    assert response.status_code == 200, response.content
    return {conversation["metadata"]["topic"] for conversation in response.json()["data"]}


call_command("migrate_schemas", schema_name="public", run_syncdb=True, verbosity=0)
secrets = {}
for name in TENANTS:
    tenant = Tenant(schema_name=name)
    tenant.save(verbosity=0)
    Domain.objects.create(domain=f"{name}.example.com", tenant=tenant)
    with schema_context(name):
        user = User.objects.create_user("ann")
        _, secrets[name] = APIKey.create(user=user)
        assert user.pk == 1
        Conversation.objects.create(id=SAME_ID, owner=user, metadata={"topic": name}, created_at=datetime.now(UTC))

# In the first round all caches are empty, in the others both tenants have filled them.
for _ in range(3):
    for name, other in (TENANTS, reversed(TENANTS)):
        assert topics(name) == {name}, (name, topics(name))
        retrieved = send(name, secrets[name], f"{URL}/{SAME_ID}")
        assert retrieved.json()["metadata"] == {"topic": name}, (name, retrieved.content)
        items = send(name, secrets[name], f"{URL}/{SAME_ID}/items")
        assert items.json()["data"] == [], (name, items.content)
        for path in (URL, f"{URL}/{SAME_ID}", f"{URL}/{SAME_ID}/items"):
            refused = send(other, secrets[name], path)
            assert refused.status_code == 401, (name, other, path, refused.status_code, refused.content)

with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%conversations_conversation%'")
    assert cursor.fetchone()[0] > 0, "the reads were not prepared, so that a change of schema was not tested"

created = {}
for name in TENANTS:
    items = [{"role": "user", "content": f"Hello {name}!"}]
    response = send(name, secrets[name], body={"metadata": {"topic": f"new in {name}"}, "items": items})
    assert response.status_code == 200, (name, response.content)
    created[name] = response.json()["id"]
for name, other in (TENANTS, reversed(TENANTS)):
    assert topics(name) == {name, f"new in {name}"}, (name, topics(name))
    assert send(name, secrets[name], f"{URL}/{created[other]}").status_code == 404
    [item] = send(name, secrets[name], f"{URL}/{created[name]}/items").json()["data"]
    assert item["content"][0]["text"] == f"Hello {name}!"

# A cloned tenant has the same keys as the original until one of them revokes a key.
with schema_context("acme"):
    key = APIKey.objects.get()
with schema_context("zen"):
    user = User.objects.get()
    APIKey.objects.create(user=user, prefix=key.prefix, hash=api_key_secrets.hash_secret(secrets["acme"]))
for name in TENANTS:
    assert send(name, secrets["acme"]).status_code == 200, name
with schema_context("acme"):
    key.revoke()
assert send("acme", secrets["acme"]).status_code == 401
assert send("zen", secrets["acme"]).status_code == 200
