import re
from base64 import b64encode

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse

from conversations.admin.transcript.stored_files import StoredFile, decode_file, find_file
from conversations.models import AccessRecord, Conversation
from conversations.schema.items import validate_items
from tests.admin.transcript.pages import url
from tests.admin.transcript.test_item import PIXEL

PDF = b"%PDF-1.7 report"
PAGE = b"<script>alert(1)</script>"


def encode(content: bytes, media_type: str = "application/pdf") -> str:
    return f"data:{media_type};base64,{b64encode(content).decode()}"


@pytest.fixture
def conversation(alice) -> Conversation:
    content = [
        {"type": "input_file", "filename": "../a/report\u202e.pdf", "file_data": encode(PDF)},
        {"type": "input_file", "filename": "page.html", "file_data": encode(PAGE, "text/html")},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
    ]
    items = [
        {"role": "user", "content": content, "id": "msg_1"},
        {"type": "image_generation_call", "id": "ig_2", "status": "completed", "result": PIXEL},
        {"role": "user", "content": "a", "id": "msg_3"},
    ]
    return Conversation.objects.create_with_items(owner=alice, items=validate_items(items))


def links(html: str) -> list[str]:
    return re.findall(r'href="(\.\./items/[^"]+/files/\w+/)"', html)


def download(client, conversation, link: str):
    return client.get(url(conversation).removesuffix("change/") + link.removeprefix("../"))


def test_files_and_images_are_downloaded_from_the_transcript(admin_client, conversation):
    pdf, page, image, generated = links(admin_client.get(url(conversation)).content.decode())
    response = download(admin_client, conversation, pdf)
    assert response.content == PDF
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Content-Disposition"] == 'attachment; filename="report_.pdf"'
    response = download(admin_client, conversation, page)
    assert response.content == PAGE
    assert response.headers["Content-Type"] == "application/octet-stream"
    for link, name in ((image, "msg_1.png"), (generated, "ig_2.png")):
        response = download(admin_client, conversation, link)
        assert response.content.startswith(b"\x89PNG")
        assert response.headers["Content-Type"] == "image/png"
        assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'


def test_downloaded_files_cannot_do_anything(admin_client, conversation):
    page = links(admin_client.get(url(conversation)).content.decode())[1]
    response = download(admin_client, conversation, page)
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_each_download_of_a_file_is_recorded(admin_client, conversation):
    link = links(admin_client.get(url(conversation)).content.decode())[0]
    AccessRecord.objects.all().delete()
    download(admin_client, conversation, link)
    assert list(AccessRecord.objects.values_list("action", "conversation_id")) == [("read", conversation.pk)]


def file_url(conversation: Conversation, item_id: str = "msg_1", key: str | None = None) -> str:
    key = StoredFile(PIXEL).key if key is None else key
    return reverse("admin:conversations_conversation_file", args=[quote(conversation.pk), item_id, key])


def test_unknown_files_are_not_found(admin_client, conversation):
    assert admin_client.get(file_url(conversation)).status_code == 200
    assert admin_client.get(file_url(conversation, key="0" * 32)).status_code == 404
    assert admin_client.get(file_url(conversation, "msg_3")).status_code == 404
    assert admin_client.get(file_url(conversation, "msg_9")).status_code == 404
    assert admin_client.get(file_url(Conversation(pk="conv_none"))).status_code == 404
    assert admin_client.post(file_url(conversation)).status_code == 405


def test_downloading_a_file_needs_the_permission_to_read(client, staff_client, conversation):
    assert client.get(file_url(conversation)).status_code == 302
    assert staff_client("view_conversation").get(file_url(conversation)).status_code == 403
    assert not AccessRecord.objects.exists()


@pytest.mark.parametrize(
    ("name", "downloaded"),
    [
        ("a.pdf", "a.pdf"),
        ("C:\\x\\a.pdf", "a.pdf"),
        ("../../etc/passwd", "passwd"),
        ('a"\r\nSet-Cookie: x.pdf', "a___Set-Cookie_ x.pdf"),
        ("gnp\u202e.exe", "gnp_.exe"),
        ("", "msg_1.pdf"),
        ("..", "msg_1.pdf"),
        ("x" * 500 + ".pdf", "x" * 146 + ".pdf"),
    ],
)
def test_names_of_downloads_are_safe(name, downloaded):
    assert StoredFile(b64encode(PDF).decode(), name).download_name("msg_1") == downloaded


@pytest.mark.parametrize(
    "value",
    ["", None, 7, "data:text/plain,hello", "not base64", "abc", "data:;base64,", "https://e.org/a.png", "AAAA=AAA"],
)
def test_other_values_are_no_files(value):
    assert decode_file(value) is None
    assert find_file({"file_data": value, "x": [{"image_url": value}]}, "0") is None


def test_files_are_found_in_any_part_of_an_item():
    file = decode_file(encode(PDF, "application/pdf;name=a.pdf"))
    output = {"output": [{"type": "input_file", "file_data": file.encoded}]}
    assert find_file(output, file.key).content == PDF
    assert find_file({"x": {"y": encode(PDF)}}, file.key).content == PDF
