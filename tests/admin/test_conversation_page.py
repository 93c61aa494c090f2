import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse

from conversations.admin import ConversationAdmin
from conversations.deletion import delete_conversation
from conversations.models import Conversation, MetadataPair
from conversations.schema.query.nodes import MetadataCondition


@pytest.fixture
def conversation(alice) -> Conversation:
    return Conversation.create_with_items(owner=alice, metadata={"topic": "demo", "b": "ü"})


def url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])


def stored_metadata(conversation: Conversation) -> dict[str, str]:
    return Conversation.objects.get(pk=conversation.pk).metadata


def test_page_shows_the_conversation_and_its_metadata_in_order(admin_client, conversation):
    html = admin_client.get(url(conversation)).content.decode()
    assert f'<div class="readonly">{conversation.pk}</div>' in html
    assert "alice" in html
    assert "{\n  &quot;topic&quot;: &quot;demo&quot;,\n  &quot;b&quot;: &quot;ü&quot;\n}</textarea>" in html


def test_saving_replaces_the_metadata_and_its_index(admin_client, conversation):
    response = admin_client.post(url(conversation), {"metadata": '{"z": "1", "a": "<b>"}'})
    assert response.status_code == 302
    assert list(stored_metadata(conversation).items()) == [("z", "1"), ("a", "<b>")]
    assert Conversation.objects.matching(MetadataCondition("a", "eq", ("<b>",))).get() == conversation
    assert not Conversation.objects.matching(MetadataCondition("topic", "eq", ("demo",)))


def test_saving_keeps_a_changed_key_order(admin_client, conversation):
    admin_client.post(url(conversation), {"metadata": '{"b": "ü", "topic": "demo"}'})
    assert list(stored_metadata(conversation)) == ["b", "topic"]


def test_an_empty_object_clears_the_metadata(admin_client, conversation):
    admin_client.post(url(conversation), {"metadata": " {} "})
    assert stored_metadata(conversation) == {}


def test_unchanged_form_writes_nothing(admin_client, conversation):
    text = admin_client.get(url(conversation)).context["adminform"].form["metadata"].value()
    before = list(MetadataPair.objects.values())
    assert admin_client.post(url(conversation), {"metadata": text}).status_code == 302
    assert list(MetadataPair.objects.values()) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "This field is required."),
        (None, "This field is required."),
        ("{", "Enter valid JSON: Expecting property name"),
        ('{"a": "1", "a": "2"}', "Enter valid JSON: the name “a” is used twice."),
        ("[" * 100_000, "Enter valid JSON: the text is nested too deeply."),
        ("[]", "Invalid type for 'metadata': expected a metadata object, but got an array instead."),
        ("null", "Invalid type for 'metadata': expected a metadata object, but got null instead."),
        ('{"a": 1}', "Invalid type for 'metadata.a': expected a string, but got an integer instead."),
        ('{"a": "\\u0000"}', "Invalid 'metadata.a': NUL character in a string. Expected text without it."),
        ('{"a": "\\ud800"}', "Invalid 'metadata.a': lone surrogate in a string. Expected text without it."),
        ('{"a": "' + "v" * 513 + '"}', "string too long. Expected a string with maximum length 512"),
        ('{"' + "k" * 65 + '": ""}', "is too long. Expected a string with maximum length 64"),
        (str({f"k{n}": "" for n in range(17)}).replace("'", '"'), "too many properties."),
    ],
)
def test_invalid_metadata_is_refused_with_the_error_of_the_api(admin_client, conversation, text, message):
    response = admin_client.post(url(conversation), {} if text is None else {"metadata": text})
    assert response.status_code == 200
    assert message in " ".join(response.context["adminform"].form.errors["metadata"])
    assert response.context["adminform"].form["metadata"].value() == text or not text
    assert stored_metadata(conversation) == {"topic": "demo", "b": "ü"}


def test_view_permission_shows_the_metadata_read_only(staff_client, conversation):
    client = staff_client("view_conversation")
    html = client.get(url(conversation)).content.decode()
    assert "<textarea" not in html
    assert "<li><b>topic</b> = demo</li>" in html
    assert client.post(url(conversation), {"metadata": "{}"}).status_code == 403
    assert stored_metadata(conversation) == {"topic": "demo", "b": "ü"}


def test_only_the_metadata_can_be_changed(admin_client, conversation, bob):
    admin_client.post(url(conversation), {"metadata": "{}", "owner": bob.pk, "item_count": 7, "id": "conv_0"})
    assert Conversation.objects.get(pk=conversation.pk).owner.get_username() == "alice"
    assert Conversation.objects.get(pk=conversation.pk).item_count == 0


def test_conversation_page_requires_the_view_permission(staff_client, conversation):
    assert staff_client("delete_conversation").get(url(conversation)).status_code == 403


@pytest.mark.parametrize("view_name", ["change", "delete"])
def test_conversation_deleted_meanwhile_is_reported_as_missing(admin_client, conversation, monkeypatch, view_name):
    url = reverse(f"admin:conversations_conversation_{view_name}", args=[quote(conversation.pk)])
    get_object = ConversationAdmin.get_object

    def deleted_after_it_was_found(self, *args, **kwargs):
        row = get_object(self, *args, **kwargs)
        delete_conversation(Conversation.objects.get(pk=row.pk))
        return row

    monkeypatch.setattr(ConversationAdmin, "get_object", deleted_after_it_was_found)
    response = admin_client.post(url, {"metadata": '{"topic": "new"}', "post": "yes"}, follow=True)
    assert response.status_code == 200
    assert "Perhaps it was deleted?" in response.content.decode()


def test_unknown_conversation_is_reported_as_missing(admin_client):
    response = admin_client.get(reverse("admin:conversations_conversation_change", args=["conv_5F0"]), follow=True)
    assert "Perhaps it was deleted?" in response.content.decode()


def test_fork_names_its_origin_with_a_link_while_there_is_one(admin_client, conversation):
    fork = conversation.fork()
    origin_id, link = conversation.pk, f'<a href="{url(conversation)}">{conversation.pk}</a>'
    assert link in admin_client.get(url(fork)).content.decode()
    assert "Forked from" not in admin_client.get(url(conversation)).content.decode()
    delete_conversation(conversation)
    page = admin_client.get(url(fork)).content.decode()
    assert "Forked from" in page
    assert origin_id in page
    assert link not in page


def test_fork_has_no_link_to_an_origin_that_is_hidden_from_the_user(rf, admin_user, conversation):
    class DemoOnlyAdmin(ConversationAdmin):
        def get_queryset(self, request):
            return super().get_queryset(request).with_metadata(kind="fork")

    fork = conversation.fork(metadata={"kind": "fork"})
    request = rf.get("/")
    request.user, request.session = admin_user, {}
    page = DemoOnlyAdmin(Conversation, admin.site).change_view(request, fork.pk).render().content.decode()
    assert conversation.pk in page
    assert url(conversation) not in page
