"""Run by a test in a process of its own, with the settings of a host that keeps each tenant in a schema."""

from datetime import UTC, datetime
from typing import Any

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django_tenants.utils import schema_context  # noqa: E402

from conversations import api_key_secrets  # noqa: E402
from conversations.models import APIKey, Conversation  # noqa: E402
from tests.host.tenants.models import Domain, Tenant  # noqa: E402

TENANTS = ("acme", "zen")
URL = "/ai/openai/v1/conversations"
SAME_ID = "conv_in_both_tenants"


def ask(tenant: str, secret: str, path: str = URL, body: Any = None) -> Any:
    client = Client(headers={"authorization": f"Bearer {secret}", "host": f"{tenant}.example.com"})
    return client.get(path) if body is None else client.post(path, body, content_type="application/json")


def topics(tenant: str) -> set[str]:
    answer = ask(tenant, secrets[tenant])
    assert answer.status_code == 200, answer.content
    return {each["metadata"]["topic"] for each in answer.json()["data"]}


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

# The first round finds all caches empty, the others find what both tenants have left there.
for _ in range(3):
    for name, other in (TENANTS, reversed(TENANTS)):
        assert topics(name) == {name}, (name, topics(name))
        shown = ask(name, secrets[name], f"{URL}/{SAME_ID}")
        assert shown.json()["metadata"] == {"topic": name}, (name, shown.content)
        items = ask(name, secrets[name], f"{URL}/{SAME_ID}/items")
        assert items.json()["data"] == [], (name, items.content)
        for path in (URL, f"{URL}/{SAME_ID}", f"{URL}/{SAME_ID}/items"):
            refused = ask(other, secrets[name], path)
            assert refused.status_code == 401, (name, other, path, refused.status_code, refused.content)

with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%conversations_conversation%'")
    assert cursor.fetchone()[0] > 0, "the reads were not prepared, so they do not show what a change of schema does"

created = {}
for name in TENANTS:
    items = [{"role": "user", "content": f"Hello {name}!"}]
    answer = ask(name, secrets[name], body={"metadata": {"topic": f"new in {name}"}, "items": items})
    assert answer.status_code == 200, (name, answer.content)
    created[name] = answer.json()["id"]
for name, other in (TENANTS, reversed(TENANTS)):
    assert topics(name) == {name, f"new in {name}"}, (name, topics(name))
    assert ask(name, secrets[name], f"{URL}/{created[other]}").status_code == 404
    [item] = ask(name, secrets[name], f"{URL}/{created[name]}/items").json()["data"]
    assert item["content"][0]["text"] == f"Hello {name}!"

# A tenant that was cloned has the keys of the other one, until one of them revokes its own.
with schema_context("acme"):
    key = APIKey.objects.get()
with schema_context("zen"):
    user = User.objects.get()
    APIKey.objects.create(user=user, prefix=key.prefix, hash=api_key_secrets.hash_secret(secrets["acme"]))
for name in TENANTS:
    assert ask(name, secrets["acme"]).status_code == 200, name
with schema_context("acme"):
    key.revoke()
assert ask("acme", secrets["acme"]).status_code == 401
assert ask("zen", secrets["acme"]).status_code == 200
