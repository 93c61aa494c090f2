import json
import re
from html import unescape

import pytest

from conversations.rendering.json_tree import MAX_HTML_CHARACTERS, MAX_LEVELS, MAX_NODES, JSONTrees

ORDER = {"order": 17, "lines": [{"sku": "a", "price": 9.5}, {}], "paid": None, "note": "<b>ü</b>", "tags": []}


def text_of(html):
    """Return the text of the tree as the script copies it: strings that are shown as lines are JSON again."""
    html = re.sub(r"(?s)<span> .*?</span>", "", html)
    html = re.sub(r"(?s)<pre[^>]*>\n(.*?)</pre>", lambda match: json.dumps(unescape(match[1])), html)
    return unescape(re.sub("<[^>]*>", "", html))


@pytest.mark.parametrize(
    "value", [ORDER, [1, [2, [3]]], "a", 1.5, None, {}, [], {"": {"a\nb": "c\nd\n"}}, {"n": "\n\n"}]
)
def test_text_of_a_tree_is_its_json(value):
    assert json.loads(text_of(JSONTrees().render(value))) == value


def test_objects_and_arrays_fold():
    html = JSONTrees().render(ORDER)
    assert html.count("<details open><summary>") == 2
    assert '<summary><span class="hl-name">"lines"</span>: [<span> 2 entries ],</span></summary>' in html


def test_short_objects_and_arrays_of_scalars_take_one_line():
    html = JSONTrees().render({"city": "Zürich", "n": 1})
    assert "<details" not in html
    assert text_of(html) == '{"city": "Zürich", "n": 1}\n'
    assert "<details open>" in JSONTrees().render({"city": "Zürich\nBasel"})
    assert "<details open>" in JSONTrees().render([0] * 40)


def test_large_values_are_folded_below_the_first_level():
    html = JSONTrees().render({"a": {str(n): n for n in range(50)}, "b": {"c": "d\n"}})
    assert re.findall(r'<details( open)?><summary>(?:<span class="hl-name">"(\w)")?', html) == [
        (" open", ""),
        ("", "a"),
        (" open", "b"),
    ]
    assert "<details><summary>" not in JSONTrees().render({"a": {str(n): n for n in range(50)}}, is_open=True)


def test_string_with_several_lines_is_shown_as_lines():
    html = JSONTrees().render({"body": "Hello,\n\n<i>Ann</i>"})
    assert '<pre class="hl-string" data-lines>\nHello,\n\n&lt;i&gt;Ann&lt;/i&gt;</pre>' in html
    assert '"a\\nb\\u0000"' in JSONTrees().render(["a\nb\x00"])


def test_lone_surrogates_are_escaped():
    JSONTrees().render({"\ud800": "\ud800", "b": "\ud800\n"}).encode()


def test_value_that_exceeds_a_limit_has_no_tree():
    deep = "x"
    for _ in range(MAX_LEVELS):
        deep = [deep]
    assert JSONTrees().render(deep) is None
    assert JSONTrees().render([0] * MAX_NODES) is None
    assert JSONTrees().render(["&" * MAX_HTML_CHARACTERS]) is None


def test_trees_of_a_page_share_the_limits():
    trees = JSONTrees()
    html = [trees.render([0] * 1_000) for _ in range(10)]
    assert html[0]
    assert html[-1] is None
    assert sum(map(len, filter(None, html))) <= MAX_HTML_CHARACTERS
