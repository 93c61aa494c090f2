import pytest

from conversations.rendering.marks import MAX_MARKS, MAX_TEXT_CHARACTERS, Marker, TextPattern, quote_phrases


def mark(find, text):
    return Marker(TextPattern.parse(find)).mark_text(text)


@pytest.mark.parametrize(
    ("find", "text", "marked"),
    [
        ("refund", "No Refunds", "No <mark>Refund</mark>s"),
        ("refund policy", "refund\n policy", "<mark>refund\n policy</mark>"),
        ("refund policy", "Refund-Policy.", "<mark>Refund-Policy</mark>."),
        ("refund policy", "refund my policy", "refund my policy"),
        ("C++", "C and C++", "C and <mark>C++</mark>"),
        ("$4200", "$4200", "<mark>$4200</mark>"),
        (".*", "a.*b", "a<mark>.*</mark>b"),
        ("<b>", "<b>x</b>", "<mark>&lt;b&gt;</mark>x&lt;/b&gt;"),
        ("🚀", "go 🚀!", "go <mark>🚀</mark>!"),
        ("ÜBER", "über", "<mark>über</mark>"),
        ('"parcel" "order 17"', "Parcel of order-17", "<mark>Parcel</mark> of <mark>order-17</mark>"),
    ],
)
def test_texts_are_marked(find, text, marked):
    assert mark(find, text) == marked


@pytest.mark.parametrize("find", ["", "  ", '"', '""', '" "'])
def test_nothing_is_searched_for_without_a_text(find):
    assert TextPattern.parse(find) is None


def test_html_is_marked_between_its_tags():
    marker = Marker(TextPattern.parse("a"))
    html = '<a href="https://a.example" title="a > a">a &amp; b</a><code>&lt;a&gt;</code>'
    assert marker.mark_html(html) == (
        '<a href="https://a.example" title="a > a"><mark>a</mark> &amp; b</a><code>&lt;<mark>a</mark>&gt;</code>'
    )


def test_entities_of_html_are_not_searched():
    html = "a &amp; b &lt;"
    assert Marker(TextPattern.parse("amp")).mark_html(html) == html
    assert Marker(TextPattern.parse("& b")).mark_html(html) == "a <mark>&amp; b</mark> &lt;"


def test_marks_of_a_page_are_limited():
    marker = Marker(TextPattern.parse("a"))
    assert (marker.mark_text("a" * 900) + marker.mark_html("a" * 900)).count("<mark>") == MAX_MARKS


def test_long_searches_are_cut():
    assert len(TextPattern.parse("x" * 10_000).regex.pattern) == MAX_TEXT_CHARACTERS


@pytest.mark.parametrize("find", ["a" * 200, "a " * 100, "(a+)+" * 40, '"a" ' * 50, "a-" * 100])
def test_hostile_searches_end(find):
    assert TextPattern.parse(find).matches("a" * 50_000 + " -" * 50_000 + "!") in (True, False)


@pytest.mark.parametrize(
    ("phrases", "find"),
    [(["refund"], "refund"), (["$4200"], "4200"), (["🚀"], "🚀"), (["a", "b-c", "a"], '"a" "b c"'), ([], "")],
)
def test_phrases_of_the_full_text_index_become_a_search(phrases, find):
    assert quote_phrases(phrases) == find
