import re

import pytest

from conversations.admin.transcript.markdown import MAX_CHARACTERS, render


def test_commonmark_tables_and_code_are_rendered():
    html = render("**a**\nb\n\n- c\n\n```js\n<d>\n```\n\n|e|\n|-|\n|f|\n\n~~g~~")
    assert "<p><strong>a</strong><br>\nb</p>" in html
    assert "<li>c</li>" in html
    assert "<pre><code>&lt;d&gt;\n</code></pre>" in html
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
    "text",
    [
        "a" * (MAX_CHARACTERS + 1),
        ">" * 200 + " a",
        "\n".join("  " * n + "- a" for n in range(120)),
        "|a" * 100 + "|\n" + "|-" * 100 + "|\n",
        "|a|\n|-|\n" + "|b|\n" * 5_000,
        "[" * 100_000,
        "![" * 70_000,
        "[" * 50_000 + "]" * 50_000,
        "[a]: https://e.org/" + "x" * 1_900 + "\n\n" + "[a] " * 1_400,
    ],
)
def test_overly_long_deep_or_wide_markdown_is_not_rendered(text):
    assert render(text) is None
