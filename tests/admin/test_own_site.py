import pytest
from django.contrib.admin import AdminSite
from django.urls import path

from conversations.admin import APIKeyAdmin, ConversationAdmin
from conversations.models import APIKey, Conversation
from conversations.schema.items import validate_items

site = AdminSite(name="backoffice")
site.register(Conversation, type("OwnConversationAdmin", (ConversationAdmin,), {"list_per_page": 5}))
site.register(APIKey, APIKeyAdmin)
urlpatterns = [path("desk/", site.urls)]


@pytest.mark.urls(__name__)
def test_the_admin_works_in_a_site_of_the_hosts_own(admin_client, alice):
    items = validate_items([{"role": "user", "content": "hello"}])
    conversation = Conversation.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)
    quoted = conversation.pk.replace("_", "_5F")
    base = "/desk/conversations/conversation/"
    found = admin_client.get(base, {"metadata_key": "topic", "metadata_value": "demo", "owner": "alice"})
    assert f"{base}{quoted}/change/" in found.content.decode()
    assert "hello" in admin_client.get(f"{base}{quoted}/change/").content.decode()
    assert f"{base}{quoted}/change/" in admin_client.get(f"{base}{quoted}/delete/").content.decode()
    assert admin_client.post(f"{base}{quoted}/delete/", {"post": "yes"}).status_code == 302
    assert not Conversation.objects.exists()
    response = admin_client.post("/desk/conversations/apikey/add/", {"user": alice.pk, "name": "x"}, follow=True)
    assert "conversations-secret" in response.content.decode()
