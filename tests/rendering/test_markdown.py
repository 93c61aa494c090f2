import re

import pytest

from conversations.admin.transcript.blocks import MAX_CHARACTERS
from conversations.rendering.markdown import MAX_HTML_CHARACTERS, MarkdownPage


def render(text):
    return MarkdownPage().render(text)


def test_commonmark_tables_and_code_are_rendered():
    html = render("**a**\nb\n\n- c\n\n```js\n<d>\n```\n\n|e|\n|-|\n|f|\n\n~~g~~")
    assert "<p><strong>a</strong><br>\nb</p>" in html
    assert "<li>c</li>" in html
    assert '<pre data-language="js"><code>&lt;d&gt;\n</code></pre>' in html
    assert "<td>f</td>" in html
    assert "<s>g</s>" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='https://e.org' onclick='x()'>a</a>",
        "<svg/onload=alert(1)>",
        "<!--><script>alert(1)</script>-->",
        "![image](https://evil.example/pixel.png)",
        "![image][r]\n\n[r]: https://evil.example/pixel.png",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](java\nscript:alert(1))",
        "[a](&#106;avascript:alert(1))",
        "[a](\x01javascript:alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "[a](data:image/png;base64,iVBORw0KGgo=)",
        "[a](vbscript:x)",
        "[a](//evil.example/)",
        "[a](/\\evil.example/)",
        "[a](\\\\evil.example)",
        "[a](/admin/logout/)",
        "[a](#transcript)",
        "[a](relative)",
        "[a](https:evil.example)",
        "[a](https:///evil.example)",
        "[a](file:///etc/passwd)",
        "<javascript:alert(1)>",
        "<data:text/html,x>",
        "[a]: javascript:alert(1)\n\n[a]",
        "`<script>`",
        "```<script>\n<script>\n```",
        "|<script>|\n|-|\n|<img onerror=x>|",
    ],
)
def test_attacks_produce_neither_elements_nor_links(text):
    html = render(text)
    assert {"script", "img", "svg"}.isdisjoint(re.findall(r"<(\w+)", html))
    addresses = re.findall(r'<a [^>]*href="([^"]*)"', html)
    assert addresses == (["https://evil.example/pixel.png"] if "pixel.png" in text else [])


@pytest.mark.parametrize("url", ["https://example.org/a?b=c#d", "http://example.org", "mailto:ann@example.org"])
def test_absolute_links_send_no_referrer(url):
    html = render(f"[a]({url})")
    assert f'href="{url}"' in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert 'target="_blank"' in html


def test_misleading_link_text_is_followed_by_the_real_host():
    assert "https://bank.example</a> (evil.example)" in render("[https://bank.example](https://evil.example/x)")
    assert "</a> (xn--80ak6aa92e.com)" in render("[apple.com](https://\u0430\u0440\u0440\u04cf\u0435.com)")
    assert "</a> (k.example)" in render("[https://bank.example](https://k.example)")
    assert "</a> (evil.example)" in render("[https://bank.example/evil.example](https://evil.example)")
    assert "</a> (evil.example)" in render("[evil.example:x@bank.example](https://evil.example)")
    assert "(" not in render("<https://example.org/a>")
    assert "(" not in render("[example.org](https://example.org/a)")


def test_heading_levels_start_below_the_item_heading_without_gaps():
    html = render("### a\n\n# b\n\n#### c\n\n###### d\n\nplain\n===")
    assert "<h4>a</h4>" in html
    assert "<h4>b</h4>" in html
    assert "<h5>c</h5>" in html
    assert "<h6>d</h6>" in html
    assert "<h4>plain</h4>" in html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("[a](/admin/logout/)", "<p>a (/admin/logout/)</p>\n"),
        ("<javascript:alert(1)>", "<p>javascript:alert(1)</p>\n"),
        ("*a*<br>b", "<p><em>a</em>&lt;br&gt;b</p>\n"),
        ("<div>\n*a*\n</div>", "<p>&lt;div&gt;<br>\n*a*<br>\n&lt;/div&gt;</p>\n"),
    ],
)
def test_unsafe_links_and_html_are_shown_as_text(text, html):
    assert render(text) == html


def test_images_become_links():
    image = "![chart](https://e.org/a.png)"
    assert re.fullmatch(r'<p>!<a href="https://e.org/a.png"[^>]*>chart</a> \(e.org\)</p>\n', render(image))
    assert re.fullmatch(
        r'<p><a href="https://e.org/b"[^>]*>!chart</a> \(e.org\)</p>\n', render(f"[{image}](https://e.org/b)")
    )


@pytest.mark.parametrize(
    "text", [">" * 200 + " a", "\n".join("  " * n + "- a" for n in range(120)), "*a " * 200 + "b* " * 200]
)
def test_deeply_nested_markdown_is_not_rendered(text):
    assert render(text) is None


def test_table_of_few_characters_and_many_cells_is_not_rendered():
    assert render("|a" * 1_000 + "\n" + "|-" * 1_000 + "\n" + "b\n" * 1_000) is None


def repeat(text):
    return (text * (MAX_CHARACTERS // len(text) + 1))[:MAX_CHARACTERS]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(">" * 90 + "a\n" + repeat("b\n"), id="lines that continue a nested quote"),
        pytest.param(repeat(">" * 45 + "a\n\n"), id="nested quotes"),
        pytest.param(repeat("- " * 45 + "a\n"), id="nested lists"),
        pytest.param(repeat("> - " * 24 + "a\n"), id="quotes with lists"),
        pytest.param(repeat("- a\n"), id="list items"),
        pytest.param(repeat("# a\n"), id="headings"),
        pytest.param(repeat("```\n"), id="fences"),
        pytest.param(repeat("a*b\n"), id="line breaks"),
        pytest.param(repeat("*_"), id="emphasis"),
        pytest.param(repeat("**a *b "), id="open emphasis"),
        pytest.param("[*" * 745 + repeat("*a"), id="brackets with emphasis"),
        pytest.param(repeat("["), id="open brackets"),
        pytest.param("[" * 50_000 + "]" * 50_000, id="nested brackets"),
        pytest.param(repeat("[a]("), id="open links"),
        pytest.param("".join("a" + "`" * n for n in range(1, 540)), id="runs of backticks"),
        pytest.param(repeat("[a]: https://e.org 'b\n"), id="open link definitions"),
        pytest.param("[a]: https://e.org/" + "x" * 1_900 + "\n\n" + repeat("[a] "), id="links of a long definition"),
        pytest.param("".join(f"[a](https://{'ä' * 50}{n}.org) " for n in range(2_000)), id="international hosts"),
        pytest.param(repeat("<https://e.org/>"), id="links without a text"),
        pytest.param(repeat("&amp;"), id="entities"),
        pytest.param(repeat("<a b='c'>"), id="HTML"),
        pytest.param(repeat("|a" * 60 + "\n" + "|-" * 60 + "\n" + "b\n" * 10 + "\n"), id="tables with missing cells"),
    ],
)
def test_page_of_hostile_markdown_writes_a_limited_amount_of_html(text):
    page = MarkdownPage()
    rendered = [html for _ in range(20) if (html := page.render(text[:MAX_CHARACTERS]))]
    links = sum(html.count("<a ") for html in rendered)
    attributes = len(' target="_blank" rel="noopener noreferrer nofollow"')  # which the cleaner adds
    assert sum(map(len, rendered)) - links * attributes <= MAX_HTML_CHARACTERS
    assert page.render("*a*") is None


def test_task_lists_show_what_is_done():
    html = render("- [x] done\n- [ ] open\n- [y] text\n")
    assert "<li>☑ done</li>" in html
    assert "<li>☐ open</li>" in html
    assert "<li>[y] text</li>" in html
