import pytest
from django.contrib.admin import AdminSite
from django.urls import path

from conversations.admin import APIKeyAdmin, ConversationAdmin, SavedViewAdmin
from conversations.models import APIKey, Conversation, SavedView
from conversations.schema.items import validate_items

site = AdminSite(name="backoffice")
site.register(Conversation, type("OwnConversationAdmin", (ConversationAdmin,), {"list_per_page": 5}))
site.register(APIKey, APIKeyAdmin)
with_views = AdminSite(name="office")
with_views.register(Conversation, ConversationAdmin)
with_views.register(SavedView, SavedViewAdmin)
urlpatterns = [path("office/", with_views.urls), path("desk/", site.urls)]


@pytest.mark.urls(__name__)
def test_admin_works_in_a_custom_admin_site(admin_client, alice):
    items = validate_items([{"role": "user", "content": "hello"}])
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)
    quoted = conversation.pk.replace("_", "_5F")
    base = "/desk/conversations/conversation/"
    response = admin_client.get(base, {"metadata_key": "topic", "metadata_value": "demo", "owner": "alice"})
    assert f"{base}{quoted}/change/" in response.content.decode()
    assert f'data-suggestions="{base}suggestions/"' in response.content.decode()
    assert "hello" in admin_client.get(f"{base}{quoted}/change/").content.decode()
    assert f"{base}{quoted}/change/" in admin_client.get(f"{base}{quoted}/delete/").content.decode()
    assert admin_client.post(f"{base}{quoted}/delete/", {"post": "yes"}).status_code == 302
    assert not Conversation.objects.exists()
    response = admin_client.post(
        "/desk/conversations/apikey/add/", {"user": "alice", "name": "x", "can_read": "on"}, follow=True
    )
    assert "conversations-secret" in response.content.decode()


@pytest.mark.urls(__name__)
def test_links_of_views_exports_and_deletions_stay_in_a_custom_admin_site(admin_client, alice):
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    sent = {"name": "x", "query_string": "owner=alice", "is_default": "on"}
    saved = admin_client.post("/office/conversations/savedview/add/", sent, follow=True)
    assert saved.redirect_chain[-1][0].startswith("/office/conversations/conversation/?owner=alice&view=")
    base = "/office/conversations/conversation/"
    assert admin_client.get(base)["Location"].startswith("/office/conversations/savedview/")
    for page in ("export/", "delete/"):
        url = f"{base}{page}?owner=alice"
        assert url in saved.content.decode()
        html = admin_client.get(url).content.decode()
        assert f'<a href="{base}?owner=alice">' in html
        assert "/admin/" not in html.replace("static/admin/", "")


@pytest.mark.urls(__name__)
def test_admin_site_without_saved_views_shows_no_view_bar(admin_client, alice):
    response = admin_client.get("/desk/conversations/conversation/")
    assert response.status_code == 200
    assert "Save this view" not in response.content.decode()
