"""Every word that the admin's pages say of themselves can be translated: here each translation is put in brackets."""

import ast
import json
import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.utils import translation

import conversations
from conversations.models import APIKey, Conversation, SavedView
from tests.admin_pages import add_other_rows, list_pages, other_pages, transcript_pages
from tests.browser.transcripts import create_all_item_types
from tests.seed import seed_conversations

# MariaDB and MySQL find words in committed rows only.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")

BEGIN, END = "\u27e6", "\u27e7"
TOLD = ("alt", "aria-label", "placeholder", "title")  # attributes that are read to people
NOT_OURS = {"PNG", "UTC", "True", "False", "metadata"}  # of all languages, of Django's icons, of parameters
NO_PAGES = ("item", "suggested keys", "suggested values")  # but a download, and JSON

PACKAGE = Path(conversations.__file__).parent
TEMPLATES = sorted((PACKAGE / "templates").rglob("*.html"))
CLASSES = r"{% block (?:bodyclass|kind) %}.*?{% endblock"
TRANSLATED_OR_COMMENT = re.compile(
    rf"{CLASSES}|{{% blocktranslate.*?{{% endblocktranslate %}}|{{% comment %}}.*?{{% endcomment %}}|{{#.*?#}}",
    re.DOTALL,
)
TEMPLATE_CODE = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
MODULES = sorted(path for folder in ("admin", "models") for path in (PACKAGE / folder).rglob("*.py"))
LABELS = {
    *("description", "help_text", "help_texts", "label", "labels", "search_help_text", "title"),
    *("verbose_name", "verbose_name_plural"),
}
POSITION_OF_TEXT = {"ValidationError": 0, "message_user": 1, "error": 1, "success": 1, "log_change": 2}


@pytest.fixture
def bracketed_translations(monkeypatch):
    def of_one(message: str) -> str:
        return f"{BEGIN}{message}{END}" if message else ""

    def of_number(singular: str, plural: str, number: int) -> str:
        return of_one(singular if number == 1 else plural)

    monkeypatch.setattr(translation._trans, "gettext", of_one)
    monkeypatch.setattr(translation._trans, "pgettext", lambda context, message: of_one(message))
    monkeypatch.setattr(translation._trans, "ngettext", of_number)
    monkeypatch.setattr(translation._trans, "npgettext", lambda context, *of: of_number(*of))


@pytest.fixture
def store(admin_user, alice) -> None:
    for _ in seed_conversations(conversations=12, items_per=4, seed=1, start=date(2026, 1, 1)):
        pass
    create_all_item_types(alice)
    call_command("refresh_overview", verbosity=0)
    add_other_rows(admin_user, alice, count=5)


def without_brackets(html: str) -> str:
    while html != (html := re.sub(f"{BEGIN}[^{BEGIN}{END}]*{END}", " ", html)):
        pass
    return html


class VisibleText(HTMLParser):
    """What a page says in its text and in attributes that people are told."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self._silent += tag in ("script", "style")
        is_button = tag == "input" and ("type", "submit") in attributes
        self.parts += [value for name, value in attributes if name in TOLD or (name == "value" and is_button)]

    def handle_endtag(self, tag):
        self._silent -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._silent:
            self.parts.append(data)


def words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w{2,}", text) if word.isalpha()}


def stored_words() -> set[str]:
    stored = [
        [[row.pk, row.metadata, [item.data for item in row.items.all()]] for row in Conversation.objects.all()],
        list(User.objects.values_list("username", flat=True)),
        list(SavedView.objects.values_list("name", "query_string")),
        list(APIKey.objects.values_list("name", "prefix")),
    ]
    text = json.dumps(stored, ensure_ascii=False)
    return words(text) | words(text.replace("\\n", " "))  # as the raw view shows them, and as the rendered one does


def truncated(parts: list[str], stored: set[str]) -> set[str]:
    """Return the beginnings of stored words at which a text was truncated."""
    ends = {match[0] for part in parts if (match := re.search(r"\w+$", part))}
    return {end for end in ends if any(word.startswith(end) for word in stored)}


def all_types() -> dict[str, str]:
    [conversation] = Conversation.objects.filter(item_count__gt=100)
    url = f"/admin/conversations/conversation/{conversation.pk}/change/"
    return {asked: url + asked for asked in ("", "?after=100", "?view=raw")}


@pytest.mark.parametrize("template", TEMPLATES, ids=[str(path.relative_to(PACKAGE)) for path in TEMPLATES])
def test_template_has_no_text_outside_translation_tags(template):
    """Check every branch, where the test of the pages below checks only what they show."""
    html = TRANSLATED_OR_COMMENT.sub(" ", template.read_text())
    assert words(" ".join(VisibleText(TEMPLATE_CODE.sub("", html)).parts)) - NOT_OURS == set()


@pytest.mark.parametrize("module", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_labels_and_messages_in_python_are_marked_for_translation(module):
    nodes = ast.walk(ast.parse(module.read_text()))
    texts = [(node.lineno, text) for node in nodes for text in find_texts(node)]
    assert [(line, ast.unparse(text)) for line, text in texts if is_english(text)] == []


def find_texts(node: ast.AST) -> list[ast.expr]:
    """Return the values of labels, of verbose names and of messages to people in a call or an assignment."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=args, keywords=keywords):
            position = POSITION_OF_TEXT.get(name, 0 if name.endswith("Field") else len(args))
            return [*args[position : position + 1], *(keyword.value for keyword in keywords if keyword.arg in LABELS)]
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in LABELS:
            return value.values if isinstance(value, ast.Dict) else [value]
    return []


def is_english(text: ast.expr) -> bool:
    """Whether it is a text of the source itself, and not the result of a call such as `_("…")`."""
    constants = text.values if isinstance(text, ast.JoinedStr) else [text]
    return any(isinstance(each, ast.Constant) and words(str(each.value)) - NOT_OURS for each in constants)


@pytest.mark.slow
@pytest.mark.parametrize("pages", [list_pages, transcript_pages, all_types, other_pages])
def test_every_string_is_marked_for_translation(admin_client, store, bracketed_translations, pages):
    stored = stored_words()
    found = {}
    for name, url in pages().items():
        if name in NO_PAGES:
            continue
        html = admin_client.get(url).content.decode()
        assert BEGIN in html, name
        parts = list(filter(None, VisibleText(without_brackets(html)).parts))
        said = words(" ".join(parts))
        found[name] = said - stored - truncated(parts, stored) - words(unquote(url)) - NOT_OURS
    assert {name: unmarked for name, unmarked in found.items() if unmarked} == {}
