"""Open the admin's pages in a project with django-unfold. A test runs this in a process of its own."""

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from conversations.models import APIKey, Conversation  # noqa: E402
from conversations.schema.items import validate_items  # noqa: E402
from tests.host.people.models import Person  # noqa: E402
from tests.host.unfold_urls import site  # noqa: E402

call_command("migrate", run_syncdb=True, verbosity=0)
call_command("check", fail_level="WARNING")

person = Person(email="ann@example.com", is_staff=True, is_superuser=True)
person.save()
APIKey.create(user=person)
items = validate_items([{"role": "user", "content": "Hello **you**!"}])
Conversation.create_with_items(owner=person, metadata={"topic": "demo"}, items=items)

staff = Client()
staff.force_login(person)
assert len(site._registry) >= 3
pages = [reverse("admin:index", current_app="host")]
for model in site._registry:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    pages.append(reverse(f"{name}_changelist", current_app="host"))
    rows = model._default_manager.all()[:1]
    pages += [reverse(f"{name}_change", args=[row.pk], current_app="host") for row in rows]
for page in pages:
    response = staff.get(page)
    assert response.status_code == 200, (page, response.status_code)
conversation = Conversation.objects.get()
transcript = reverse("admin:conversations_conversation_change", args=[conversation.pk], current_app="host")
assert "Hello <strong>you</strong>!" in staff.get(transcript).content.decode()
