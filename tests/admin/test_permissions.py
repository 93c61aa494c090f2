"""Message content is on no page of the app for users without the permission to read it, whatever else they may do."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse

from conversations.admin import ConversationAdmin
from conversations.admin.permissions import may_export, may_read_content
from conversations.models import AccessRecord, Conversation, DeletedConversation, Item, SavedView
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash

PLANTED = "planted-words"
LIST_URL = reverse("admin:conversations_conversation_changelist")
ALL_RIGHTS = (
    "view_conversation",
    "change_conversation",
    "delete_conversation",
    "export_conversation",
    "view_item",
    "change_item",
    "view_accessrecord",
    "view_apikey",
    "view_deletedconversation",
    "delete_deletedconversation",
)


@pytest.fixture
def conversation(alice) -> Conversation:
    items = [
        {"role": "user", "content": PLANTED},
        {"type": "function_call", "call_id": "call_1", "name": PLANTED, "arguments": f'"{PLANTED}"'},
        {"type": "function_call_output", "call_id": "call_1", "output": PLANTED},
    ]
    one, other = [
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=validate_items(items))
        for _ in range(2)
    ]
    move_to_trash(other)
    return one


def change_url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])


def patterns() -> Iterator[tuple[type, URLPattern]]:
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "conversations":
            yield from ((model, pattern) for pattern in model_admin.get_urls() if getattr(pattern, "name", None))


def urls(conversation: Conversation) -> dict[str, str]:
    """Return every URL that the admin has for the app, by name. Add a value here for a new kind of argument."""
    record = AccessRecord.objects.first()
    view = SavedView.objects.get_or_create(owner=User.objects.latest("pk"), name="x")[0]
    keys = {
        Conversation: quote(conversation.pk),
        AccessRecord: record.pk if record else 0,
        DeletedConversation: DeletedConversation.objects.get().pk,
        SavedView: view.pk,
    }
    item = conversation.items.first()
    known = {"position": item.position, "item_id": item.item_id, "key": "0" * 64, "newest": "conv_"}
    return {
        pattern.name: reverse(
            f"admin:{pattern.name}",
            kwargs={
                name: keys.get(model, 0) if name == "object_id" else known[name] for name in pattern.pattern.converters
            },
        )
        for model, pattern in patterns()
    }


def fetch_pages(client: Client, conversation: Conversation) -> dict[str, str]:
    """Return the text of every page, by its name, including pages that a posted form or a parameter leads to."""
    selected = {"action": "delete_selected", "_selected_action": [conversation.pk]}
    responses = {
        **{name: client.get(url, follow=True) for name, url in urls(conversation).items()},
        "found by id": client.get(LIST_URL, {"q": conversation.pk}),
        "found by metadata": client.get(LIST_URL, {"q": "topic:demo"}),
        "delete selected": client.post(LIST_URL, selected),
        "later": client.get(change_url(conversation), {"after": 1}),
        "refused form": client.post(change_url(conversation), {"metadata_key": "", "metadata_value": "x"}),
        **{
            f"{name} as {file_format}": client.post(reverse(f"admin:{name}", args=args), {"file_format": file_format})
            for file_format in ("jsonl", "items-csv")
            for name, args in [
                ("conversations_conversation_export_list", []),
                ("conversations_conversation_export", [quote(conversation.pk)]),
            ]
        },
        "popup": client.get(change_url(conversation), {"_popup": 1}),
        "previews": client.get(LIST_URL, {"columns": ["first_message", "last_message"]}, follow=True),
    }
    return {
        name: b"".join(getattr(response, "streaming_content", [])).decode()
        if response.streaming
        else response.content.decode()
        for name, response in responses.items()
    }


@pytest.mark.slow
def test_no_page_contains_message_content_without_the_permission(staff_client, conversation):
    for name, answer in fetch_pages(staff_client(*ALL_RIGHTS), conversation).items():
        assert PLANTED not in answer, name
    assert not AccessRecord.objects.exists()


@pytest.mark.slow
def test_pages_contain_message_content_with_the_permission(staff_client, conversation):
    found = fetch_pages(staff_client("read_content", *ALL_RIGHTS), conversation)
    holding = {name for name, answer in found.items() if PLANTED in answer}
    assert holding >= {
        "conversations_conversation_change",
        "conversations_conversation_delete",
        "conversations_conversation_export",
        "conversations_conversation_history",
        "conversations_conversation_item",
        "delete selected",
        "later",
        "refused form",
        "popup",
        "previews",
        "conversations_conversation_export as jsonl",
        "conversations_conversation_export as items-csv",
        "conversations_conversation_export_list as jsonl",
        "conversations_conversation_export_list as items-csv",
    }
    trash = {
        f"conversations_deletedconversation_{name}" for name in ("changelist", "change", "delete", "history", "read")
    }
    assert {name for name in holding if "deletedconversation" in name} == trash
    assert not [name for name in holding if "accessrecord" in name]
    assert "conversations_conversation_bulk_deletion" not in holding


def test_every_admin_url_of_the_app_is_tested(conversation):
    assert {model for model, _ in patterns()} >= {Conversation, AccessRecord, DeletedConversation}
    assert len(urls(conversation)) == len(list(patterns())) >= 15


def test_transcript_page_names_the_missing_permission(staff_client, conversation):
    html = staff_client("view_conversation").get(change_url(conversation)).content.decode()
    assert "the permission “Can read the content of conversations” is missing" in html
    assert Permission.objects.get(codename="read_content").name == "Can read the content of conversations"
    assert conversation.pk in html
    assert "<b>topic</b> = demo" in html


def test_transcript_page_names_no_missing_permission_to_permitted_readers(staff_client, conversation):
    html = staff_client("view_conversation", "read_content").get(change_url(conversation)).content.decode()
    assert "is missing" not in html
    assert PLANTED in html


def test_read_content_permission_alone_opens_no_page(staff_client, conversation):
    client = staff_client("read_content")
    assert client.get(change_url(conversation)).status_code == 403
    assert client.get(LIST_URL).status_code == 403
    assert not AccessRecord.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("value", [False, "False", "True", 1, None])
def test_any_setting_other_than_true_hides_message_content_from_superusers(admin_client, conversation, settings, value):
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = value
    found = fetch_pages(admin_client, conversation)
    assert not [name for name, answer in found.items() if PLANTED in answer]
    note = "Message content is hidden from everyone here. An operator can change this."
    assert note in found["conversations_conversation_change"]
    assert not AccessRecord.objects.exists()


def test_lookups_into_message_content_are_refused(admin_client, conversation):
    for lookup in ("items__data__contains", "items__data", "items__item_id__startswith"):
        response = admin_client.get(LIST_URL, {lookup: PLANTED})
        assert response.status_code == 400, lookup


def test_item_model_is_not_registered_in_the_admin(conversation):
    assert not admin.site.is_registered(Item)


@pytest.mark.parametrize(
    ("rights", "reads", "exports"),
    [
        ((), False, False),
        (("view_item",), False, False),
        (("read_content",), True, False),
        (("export_conversation",), False, False),
        (("read_content", "export_conversation"), True, True),
    ],
)
def test_content_export_requires_the_read_and_export_permissions(staff_client, alice, rights, reads, exports, settings):
    request = RequestFactory().get("/")
    request.user = alice
    alice.user_permissions.set(Permission.objects.filter(codename__in=rights))
    model_admin = ConversationAdmin(Conversation, admin.site)
    assert may_read_content(request) is model_admin.has_read_content_permission(request) is reads
    assert may_export(request) is model_admin.has_export_permission(request) is exports
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = False
    assert not may_read_content(request)
    assert not may_export(request)


def test_subclass_may_restrict_reading_of_content(admin_user, conversation):
    class OnlyOwn(ConversationAdmin):
        def has_read_content_permission(self, request, obj=None):
            return super().has_read_content_permission(request, obj) and obj.owner == request.user

    request = RequestFactory().get("/")
    request.user, request.session = admin_user, {}
    model_admin = OnlyOwn(Conversation, admin.site)
    own = Conversation.objects.create_with_items(
        owner=admin_user, items=validate_items([{"role": "user", "content": PLANTED}])
    )
    pages = [model_admin.change_view(request, row.pk).render().content.decode() for row in (conversation, own)]
    assert [PLANTED in page for page in pages] == [False, True]
