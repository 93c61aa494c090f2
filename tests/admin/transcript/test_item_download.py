import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse

from conversations.models import AccessRecord, Conversation
from conversations.schema.items import validate_items


@pytest.fixture
def conversation(alice) -> Conversation:
    items = validate_items([{"role": "user", "content": "<script>ü</script>", "id": "msg_1"}])
    return Conversation.objects.create_with_items(owner=alice, items=items)


def url(conversation: Conversation, item_id: str = "msg_1") -> str:
    return reverse("admin:conversations_conversation_item", args=[quote(conversation.pk), item_id])


def test_item_is_downloaded_as_a_plain_text_attachment(admin_client, conversation):
    response = admin_client.get(url(conversation))
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="msg_1.json.txt"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script>ü</script>" in response.content.decode()
    assert response.content.startswith(b'{\n  "id": "msg_1"')


def test_each_download_is_recorded(admin_client, conversation):
    admin_client.get(url(conversation))
    assert AccessRecord.objects.get().conversation_id == conversation.pk


def test_the_page_links_to_the_download(admin_client, conversation):
    long = {"role": "user", "content": "word " * 40_000, "id": "msg_2"}
    conversation.add_items(items=validate_items([long]))
    page = reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])
    assert '<a href="../items/msg_2/">' in admin_client.get(page).content.decode()
    assert url(conversation, "msg_2") == page.removesuffix("change/") + "items/msg_2/"


def test_download_of_an_unknown_item_is_not_found(admin_client, conversation, alice):
    other = Conversation.objects.create_with_items(owner=alice)
    assert admin_client.get(url(conversation, "msg_9")).status_code == 404
    assert admin_client.get(url(other)).status_code == 404
    assert admin_client.get(url(Conversation(pk="conv_none"))).status_code == 404


def test_item_download_requires_the_read_content_permission(client, staff_client, conversation):
    assert client.get(url(conversation)).status_code == 302
    assert staff_client("view_conversation").get(url(conversation)).status_code == 403
    assert not AccessRecord.objects.exists()


def test_item_download_requires_the_view_permission(staff_client, conversation):
    assert staff_client("view_apikey").get(url(conversation)).status_code == 403


def test_item_download_is_forbidden_if_staff_may_not_read_content(admin_client, conversation, settings):
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = False
    assert admin_client.get(url(conversation)).status_code == 403
