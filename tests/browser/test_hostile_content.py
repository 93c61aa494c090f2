import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation, Item
from conversations.schema.items import validate_items

ATTACKS = [
    "<script>document.title='owned'</script>",
    "</pre></code></textarea></title></style><script src=https://evil.example/x.js></script>",
    "<img src=https://evil.example/pixel.png onerror=\"document.title='owned'\">",
    "<svg onload=\"document.title='owned'\"><use href='https://evil.example/a.svg#x'/></svg>",
    '"><iframe src=//evil.example></iframe>',
    "' onmouseover='document.title=1' autofocus onfocus='document.title=\"owned\"",
    "javascript:document.title='owned'",
    "data:text/html,<script>document.title='owned'</script>",
    "![image](https://evil.example/pixel.png) [link](javascript:alert(1))",
    "{{ constructor.constructor('document.title=1')() }} {% load x %} ${7*7}",
    "<link rel=stylesheet href=https://evil.example/a.css><style>@import 'https://evil.example/b.css'</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'><base href=https://evil.example/>",
    "\u202egnp.exe\u2066 \u0007\u001b[31m",
]
NOISE = "".join(ATTACKS)


@pytest.fixture
def hostile(live_server, alice) -> Conversation:
    annotation = {"type": "url_citation", "url": ATTACKS[6], "title": NOISE, "start_index": 0, "end_index": 1}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": attack} for attack in ATTACKS]},
        {"role": "user", "content": [{"type": "input_image", "image_url": attack} for attack in ATTACKS]},
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://evil.example/pixel.png"}]},
        {"role": "user", "content": [{"type": "input_file", "filename": NOISE, "file_url": ATTACKS[6]}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": NOISE, "annotations": [annotation]}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": f'{{"a": "{ATTACKS[0]}"}}'},
        {"type": "function_call", "call_id": "d", "name": "f", "arguments": NOISE},
        {"type": "function_call_output", "call_id": "c", "output": NOISE},
        {"type": "custom_tool_call", "call_id": "e", "name": ATTACKS[0], "input": NOISE},
    ]
    pairs = {attack[:64]: attack for attack in ATTACKS}
    conversation = Conversation.create_with_items(owner=alice, metadata=pairs, items=validate_items(items))
    # What no request can store, and a restored backup might.
    Item.objects.create(
        conversation=conversation,
        position=conversation.last_position + 1,
        item_id="x_1",
        type=ATTACKS[0],
        data={ATTACKS[2]: ATTACKS},
        created_at=conversation.created_at,
    )
    return conversation


def test_nothing_in_a_conversation_is_run_or_fetched(visit, admin, hostile, live_server):
    def steps(page: Page) -> tuple[list[str], list[str], list[str]]:
        requests, problems, titles = [], [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto("/admin/conversations/conversation/")
        titles.append(page.title())
        page.goto("/admin/conversations/conversation/?metadata_key=%3Cscript%3E&metadata_value=%22%3E%3Cscript%3E")
        titles.append(page.title())
        page.goto("/admin/conversations/conversation/")
        page.get_by_role("link", name=hostile.pk).click()
        expect(page.get_by_role("article")).to_have_count(10)
        for element in page.locator("article, textarea").all():
            element.hover()
            element.click()
        inside = "#transcript :is(script, img, svg, iframe, link, style, meta, base, object, a)"
        assert page.locator(inside).count() == 0
        assert page.locator("#transcript").evaluate("e => e.innerText.includes('evil.example/pixel.png')")
        titles.append(page.title())
        page.get_by_role("link", name="Delete").click()
        expect(page.get_by_role("heading", name="Summary")).to_be_visible()
        titles.append(page.title())
        return requests, problems, titles

    requests, problems, titles = visit(steps, as_user=admin)
    assert problems == []
    assert [url for url in requests if not url.startswith(live_server.url)] == []
    assert all(title.endswith("| Conversations") for title in titles)


def test_the_own_markup_holds_no_inline_script_or_style(visit, admin, hostile):
    def steps(page: Page) -> list[int]:
        found = []
        for path in ("", f"{hostile.pk.replace('_', '_5F')}/change/", f"{hostile.pk.replace('_', '_5F')}/delete/"):
            page.goto(f"/admin/conversations/conversation/{path}")
            found.append(page.locator("script:not([src]):not([type='application/json']), style, [style]").count())
            found.append(page.locator("[onclick], [onload], [onsubmit], [onchange]").count())
        return found

    assert set(visit(steps, as_user=admin, java_script_enabled=False)) == {0}
