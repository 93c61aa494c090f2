import re
from html import unescape

import pytest

from conversations.rendering.highlight import (
    CSS_CLASSES,
    LEXERS,
    MAX_CHARACTERS,
    MAX_HTML_CHARACTERS,
    Highlighter,
    language_name,
)
from conversations.rendering.markdown import MarkdownPage

PYTHON = "# why\ndef area(r):\n    return 3 * r  # 'x'\nname = 'a < b'\n"


def tokens(html):
    return set(re.findall(r'<span class="(hl-\w+)">([^<]*)</span>', html))


def test_kinds_of_tokens_have_classes():
    html = Highlighter().render(PYTHON, "Python")
    expected = {
        ("hl-comment", "# why"),
        ("hl-keyword", "def"),
        ("hl-name", "area"),
        ("hl-number", "3"),
        ("hl-string", "'a &lt; b'"),
    }
    assert expected <= tokens(html)


@pytest.mark.parametrize("language", sorted(set(LEXERS)))
def test_highlighted_code_has_the_text_of_the_code(language):
    code = "\n\n<b>&amp;</b> \"x\" # 1 /* a */ {'k': [1, None]}\r\n\ttab \x0b é 🚀 \n\n"
    html = Highlighter().render(code, language)
    assert unescape(re.sub(r"</?span[^>]*>", "", html)) == code
    assert "<b>" not in html


def test_code_in_an_unknown_language_is_plain():
    assert Highlighter().render("x", "klingon") is None
    assert Highlighter().render("x", "") is None


def test_code_that_exceeds_a_limit_is_plain():
    assert Highlighter().render("1\n" * MAX_CHARACTERS, "python") is None
    assert Highlighter(seconds=0).render(PYTHON, "python") is None
    highlighter = Highlighter()
    texts = [highlighter.render("a=1;" * (MAX_CHARACTERS // 4), "js") for _ in range(20)]
    assert texts[0]
    assert texts[-1] is None
    assert sum(map(len, filter(None, texts))) <= MAX_HTML_CHARACTERS


@pytest.mark.parametrize("language", sorted(set(LEXERS.values())))
def test_page_of_hostile_code_has_a_limited_amount_of_html(language):
    repeated = ["/*", "<!--", '"', "[(((", " :", "<T>", "\\'", "${", "a.b.", "<style>", "//"]
    starts = ["", "<<EOF\n", "0x", "r'"]
    highlighter = Highlighter()
    codes = [(start + each * MAX_CHARACTERS)[:MAX_CHARACTERS] for start in starts for each in repeated]
    rendered = [html for code in codes if (html := highlighter.render(code, language))]
    assert sum(map(len, rendered)) <= MAX_HTML_CHARACTERS


@pytest.mark.parametrize(
    ("info", "name"),
    [("python", "python"), ("c++ title=x", "c++"), ("", ""), ('"><b>', ""), ("é", "é"), ("x" * 50, "x" * 20)],
)
def test_name_of_a_language_is_one_short_word(info, name):
    assert language_name(info) == name


def test_code_in_markdown_is_highlighted_and_has_its_language():
    html = MarkdownPage(Highlighter()).render(f"```python\n{PYTHON}```\n\n    for x in y\n")
    assert '<pre data-language="python"><code><span class="hl-comment"># why</span>' in html
    assert "<pre><code>for x in y\n</code></pre>" in html
    assert set(re.findall(r'class="([^"]*)"', html)) <= CSS_CLASSES


def test_markdown_cannot_add_classes_or_attributes():
    page = MarkdownPage(Highlighter())
    html = page.render('<span class="hl-name" onclick="x">a</span>\n\n```"><i>\n<span class=hl-name>\n```\n')
    assert re.findall(r"<(\w+)[^>]*>", html) == ["p", "pre", "code"]
    assert "data-language" not in html
