import re
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse

from conversations.admin import ConversationAdmin
from conversations.admin.metadata.form import metadata_digest
from conversations.deletion import delete_conversation
from conversations.models import Conversation, MetadataPair
from conversations.schema.items import validate_items
from conversations.schema.query.nodes import MetadataCondition


@pytest.fixture
def conversation(alice) -> Conversation:
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo", "b": "ü"})


def url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])


def stored_metadata(conversation: Conversation) -> dict[str, str]:
    return Conversation.objects.get(pk=conversation.pk).metadata


def rows(conversation: Conversation, *pairs: tuple[str, str]) -> dict[str, object]:
    """Return what the form sends if it shows the conversation as it is now."""
    keys, values = zip(*pairs, strict=True) if pairs else (("",), ("",))
    return {"metadata_key": keys, "metadata_value": values, "metadata_seen": metadata_digest(conversation.metadata)}


def sent_by_browser(html: str) -> dict[str, object]:
    """Return what a browser sends if nothing was typed: it drops line breaks of keys and writes others as CR and LF."""
    return {
        "metadata_key": [unescape(key) for key in re.findall(r'name="metadata_key" value="([^"]*)"', html)],
        "metadata_value": [
            unescape(value).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
            for value in re.findall(r'<textarea name="metadata_value"[^>]*>\n(.*?)</textarea>', html, re.S)
        ],
        "metadata_seen": re.search(r'name="metadata_seen" value="(\w+)"', html)[1],
    }


def test_page_shows_the_conversation_and_its_metadata_in_order(admin_client, conversation):
    html = admin_client.get(url(conversation)).content.decode()
    assert f'<div class="readonly">{conversation.pk}</div>' in html
    assert "alice" in html
    sent = sent_by_browser(html)
    assert (sent["metadata_key"], sent["metadata_value"]) == (["topic", "b", "", ""], ["demo", "ü", "", ""])


@pytest.mark.parametrize(("pairs", "count"), [(0, 2), (13, 15), (15, 16), (16, 16)])
def test_form_has_rows_for_new_pairs_up_to_the_limit(admin_client, alice, pairs, count):
    metadata = {f"k{number}": "v" for number in range(pairs)}
    conversation = Conversation.objects.create_with_items(owner=alice, metadata=metadata)
    assert admin_client.get(url(conversation)).content.decode().count('name="metadata_key"') == count


def test_saving_replaces_the_metadata_and_its_index(admin_client, conversation):
    response = admin_client.post(url(conversation), rows(conversation, ("z", "1"), ("", ""), ("a", "<b>"), ("e", "")))
    assert response.status_code == 302
    assert list(stored_metadata(conversation).items()) == [("z", "1"), ("a", "<b>"), ("e", "")]
    assert Conversation.objects.matching(MetadataCondition("a", "eq", ("<b>",))).get() == conversation
    assert not Conversation.objects.matching(MetadataCondition("topic", "eq", ("demo",)))


def test_saving_keeps_a_changed_key_order(admin_client, conversation):
    admin_client.post(url(conversation), rows(conversation, ("b", "ü"), ("topic", "demo")))
    assert list(stored_metadata(conversation)) == ["b", "topic"]


def test_empty_rows_clear_the_metadata(admin_client, conversation):
    admin_client.post(url(conversation), rows(conversation))
    assert stored_metadata(conversation) == {}


def test_unchanged_form_writes_nothing(admin_client, alice):
    metadata = {' a\n"b"': "\n1\r\n2\r3\n ", "<b>": "&amp;", "": ""}
    metadata.pop("")
    conversation = Conversation.objects.create_with_items(owner=alice, metadata=metadata)
    sent = sent_by_browser(admin_client.get(url(conversation)).content.decode())
    sent["metadata_key"] = [key.replace("\n", "") for key in sent["metadata_key"]]
    before = list(MetadataPair.objects.values())
    assert admin_client.post(url(conversation), sent).status_code == 302
    assert list(MetadataPair.objects.values()) == before
    assert stored_metadata(conversation) == metadata


def test_save_after_another_write_is_refused_with_both_versions(admin_client, conversation):
    sent = sent_by_browser(admin_client.get(url(conversation)).content.decode())
    conversation.replace_metadata({"topic": "by the API", "b": "ü", "new": "1"})
    sent["metadata_value"][0] = "by staff"
    response = admin_client.post(url(conversation), sent)
    assert stored_metadata(conversation) == {"topic": "by the API", "b": "ü", "new": "1"}
    html = response.content.decode()
    assert "The metadata was changed meanwhile. Nothing was saved." in html
    table = re.search(r'<table class="conversations-conflict">.*?</table>', html, re.S)[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)]
    assert cells[1:] == [["topic", "by the API", "by staff"], ["new", "1", "<em>is not set</em>"]]
    again = sent_by_browser(html)
    assert again["metadata_value"][:2] == ["by staff", "ü"]
    assert admin_client.post(url(conversation), again).status_code == 302
    assert stored_metadata(conversation) == {"topic": "by staff", "b": "ü"}


def test_save_without_a_digest_is_refused(admin_client, conversation):
    sent = rows(conversation, ("a", "1"))
    del sent["metadata_seen"]
    assert admin_client.post(url(conversation), sent).status_code == 200
    assert stored_metadata(conversation) == {"topic": "demo", "b": "ü"}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (None, "This field is required."),
        ([("", "x")], "Enter a key for the value “x”."),
        ([("a", "1"), ("a", "2")], "The key “a” is used twice."),
        ([("a", "\0")], "Invalid 'metadata.a': NUL character in a string. Expected text without it."),
        ([("a", "v" * 513)], "string too long. Expected a string with maximum length 512"),
        ([("k" * 65, "")], "is too long. Expected a string with maximum length 64"),
        ([(f"k{number}", "") for number in range(17)], "too many properties."),
    ],
)
def test_invalid_metadata_is_refused_with_the_error_of_the_api(admin_client, conversation, pairs, message):
    response = admin_client.post(url(conversation), {} if pairs is None else rows(conversation, *pairs))
    assert response.status_code == 200
    form = response.context["adminform"].form
    assert message in " ".join(form.errors["metadata"])
    assert pairs is None or form["metadata"].value().pairs == pairs
    assert stored_metadata(conversation) == {"topic": "demo", "b": "ü"}


def test_view_permission_shows_the_metadata_read_only(staff_client, conversation):
    client = staff_client("view_conversation")
    html = client.get(url(conversation)).content.decode()
    assert "<textarea" not in html
    assert "<li><b>topic</b> = demo</li>" in html
    assert client.post(url(conversation), rows(conversation)).status_code == 403
    assert stored_metadata(conversation) == {"topic": "demo", "b": "ü"}


def test_only_the_metadata_can_be_changed(admin_client, conversation, bob):
    admin_client.post(url(conversation), {**rows(conversation), "owner": bob.pk, "item_count": 7, "id": "conv_0"})
    assert Conversation.objects.get(pk=conversation.pk).owner.get_username() == "alice"
    assert Conversation.objects.get(pk=conversation.pk).item_count == 0


def test_conversation_page_requires_the_view_permission(staff_client, conversation):
    assert staff_client("delete_conversation").get(url(conversation)).status_code == 403


@pytest.mark.parametrize(("view_name", "method"), [("change", "get_object"), ("delete", "get_deleted_objects")])
def test_conversation_deleted_meanwhile_is_reported_as_missing(
    admin_client, conversation, monkeypatch, view_name, method
):
    url = reverse(f"admin:conversations_conversation_{view_name}", args=[quote(conversation.pk)])
    read = getattr(ConversationAdmin, method)

    def deleted_after_it_was_found(self, *args, **kwargs):
        result = read(self, *args, **kwargs)
        delete_conversation(Conversation.objects.get())
        return result

    monkeypatch.setattr(ConversationAdmin, method, deleted_after_it_was_found)
    response = admin_client.post(url, {**rows(conversation, ("topic", "new")), "post": "yes"}, follow=True)
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


def test_titles_of_the_page_are_the_first_message_of_a_user(admin_client, staff_client, alice):
    items = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is\nmy <b>order</b>?"}]
    conversation = Conversation.objects.create_with_items(owner=alice, items=validate_items(items))

    def titles(client):
        html = client.get(url(conversation)).content.decode()
        tab, heading = re.search(r"<title>([^<]*)</title>", html)[1], re.search(r"<h1[^>]*>(.*?)</h1>", html)[1]
        return tab, heading, re.search(r"&rsaquo; ([^\n]*)\n</div>", html)[1].strip()

    text = "Where is my &lt;b&gt;order&lt;/b&gt;?"
    assert titles(admin_client) == (f"{text} | Conversations", text, text)
    short_id = f"conv_…{conversation.pk[-6:]}"
    client = staff_client("view_conversation")
    assert titles(client) == (f"{short_id} | Conversations", short_id, short_id)
    assert "order" not in client.get(url(conversation)).content.decode()
