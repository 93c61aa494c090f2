"""Facts of the documentation that the code has too: limits, names and defaults, links, and commands within the text."""

import ast
import re
import shlex
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from conversations.conf import AppSettings
from conversations.schema.items import ITEM_TYPES
from project import settings as service_settings
from tests.docs.pages import (
    DOCS,
    GUIDES,
    OPERATING,
    PAGES,
    README,
    ROOT,
    SIGN_IN,
    TESTING,
    read_anchors,
    read_blocks,
    read_code_spans,
    read_links,
    read_table,
)

MAX_README_WORDS = 900
MAX_PICTURE_BYTES = 150_000
CHANGELOG = ROOT / "CHANGELOG.md"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
GUARANTEES = DOCS / "guarantees.md"
INTEGRATION = DOCS / "django-integration.md"

each_document = pytest.mark.parametrize("document", [*PAGES, *GUIDES], ids=lambda path: str(path.relative_to(ROOT)))


def test_readme_is_short():
    assert len(README.read_text().split()) <= MAX_README_WORDS


@pytest.mark.parametrize("page", [README, INTEGRATION], ids=lambda path: path.name)
def test_page_says_that_there_is_no_release_until_a_version_in_the_changelog_has_a_date(page):
    versions = re.findall(r"^## (.+)$", CHANGELOG.read_text(), re.MULTILINE)
    is_released = any(re.fullmatch(r"[\d.]+, \d{4}-\d\d-\d\d", version) for version in versions)
    assert versions
    assert ("There is no release yet." in page.read_text()) == (not is_released)


@each_document
def test_relative_links_lead_to_files_and_headings(document):
    links = [link for link in read_links(document) if not re.match("https?:", link)]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), link
        assert not anchor or anchor in read_anchors(target), link


def test_tests_run_the_code_blocks_of_every_page_that_has_some():
    """Each of these pages has a test that runs all of its blocks: a new page needs one too."""
    guides = {DOCS / "clients.md", DOCS / "query-language.md", DOCS / "responses.md", SIGN_IN}
    covered = {README, *guides, INTEGRATION, OPERATING, TESTING}
    assert {page for page in PAGES if read_blocks(page)} == covered


def test_readme_has_the_number_of_item_types():
    assert re.findall(r"\b(\d+) item types\b", README.read_text()) == [str(len(ITEM_TYPES))]


def test_changelog_has_every_item_type():
    """The first release has a number of types. Later ones have a line for each: "The item type `program`"."""
    text = CHANGELOG.read_text()
    [of_first_release] = re.findall(r"\ball (\d+) item types\b", text)
    added = re.findall(r"^- The item type `(\w+)`", text, re.MULTILINE)
    assert set(added) <= ITEM_TYPES.keys()
    assert int(of_first_release) + len(added) == len(ITEM_TYPES)


def test_changelog_has_the_version_of_the_openai_package_that_the_tests_require():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    newest, *_ = re.findall(
        r"^- Item definitions of the `openai` package (\d+\.\d+)\b", CHANGELOG.read_text(), re.MULTILINE
    )
    assert f"openai>={newest}" in groups["test"]


def test_readme_links_to_every_page():
    linked = {(README.parent / link).resolve() for link in read_links(README) if not re.match("https?:", link)}
    assert linked >= {page for page in PAGES if page != README}


def test_pictures_are_small_and_shown_somewhere():
    pictures = set((DOCS / "images").iterdir())
    assert pictures
    assert {picture for picture in pictures if picture.stat().st_size > MAX_PICTURE_BYTES} == set()
    links = {(page.parent / link).resolve() for page in PAGES for link in read_links(page) if link.endswith(".png")}
    assert links == pictures


def test_contributing_names_files_that_exist_and_what_is_in_them():
    paths = [span for span in read_code_spans(CONTRIBUTING) if re.match("(conversations|project|tests)/", span)]
    assert {path for path in paths if not (ROOT / path).exists()} == set()
    names = re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", CONTRIBUTING.read_text())
    assert len(names) > 5
    assert [(name, path) for name, path in names if name not in (ROOT / path).read_text()] == []


def test_each_promise_names_tests_that_exist():
    lines = [line for line in GUARANTEES.read_text().splitlines() if line.startswith("| ")]
    promises = [line for line in lines if line != "| Promise | Test |"]
    assert len(promises) > 15
    assert [line for line in promises if not re.search(r"\| (`tests/\S+::test_\w+`(, )?)+ \|$", line)] == []
    names = [span.split("::") for span in read_code_spans(GUARANTEES) if span.startswith("tests/")]
    assert [(path, name) for path, name in names if f"\ndef {name}(" not in (ROOT / path).read_text()] == []


@each_document
def test_commands_in_the_text_have_these_arguments(document):
    """Check the code spans; the commands of code blocks are run by other tests."""
    for span in (each.removeprefix(".venv/bin/") for each in read_code_spans(document)):
        match shlex.split(span) if span.startswith("python ") else []:
            case ["python", "manage.py", name, *arguments]:
                parse_command(name, arguments)
            case ["python", "-m", module, *_]:
                assert find_spec(module), span


@pytest.mark.parametrize(
    ("document", "header"), [(INTEGRATION, "`python manage.py`"), (TESTING, "`.venv/bin/python -m`")]
)
def test_commands_of_tables_exist(document, header):
    cells = [row[0] for row in read_table(document, header=header)]
    commands = [shlex.split(span) for cell in cells for span in re.findall("`(.+?)`", cell)]
    assert commands
    for name, *arguments in commands:
        if header == "`python manage.py`":
            parse_command(name, arguments)
        else:
            assert find_spec(name), name


def test_every_command_is_documented():
    documented = "\n".join(page.read_text() for page in PAGES)
    names = {name for name, app in get_commands().items() if app in ("conversations", "project")}
    assert {name for name in names if not re.search(rf"\b{name}\b", documented)} == set()


def test_every_setting_of_the_app_is_documented_with_its_default(settings):
    documented = {row[0].strip("`"): row[1].strip("`") for row in read_table(INTEGRATION, header="Setting")}
    names = [name for name, member in vars(AppSettings).items() if isinstance(member, property)]
    assert list(documented) == sorted(f"CONVERSATIONS_{name.upper()}" for name in names)
    for name, default in documented.items():
        if hasattr(settings, name):
            delattr(settings, name)
        value = getattr(AppSettings(), name.removeprefix("CONVERSATIONS_").lower())
        if name == "CONVERSATIONS_AUTHENTICATION_CLASSES":
            assert (value, default) == (["conversations.api.authentication.APIKeyAuthentication"], "API keys only")
        elif name == "CONVERSATIONS_CONTENT_SECURITY_POLICY":
            [block] = [block.text for block in read_blocks(INTEGRATION) if f"{name} = " in block.text]
            assert default == "[strict](#content-security-policy)"
            assert ast.literal_eval(block.partition(" = ")[2]) == value
        elif name == "CONVERSATIONS_REPLICA":
            assert (value, default) == ("", "none")
        else:
            assert ast.literal_eval(default) == value, name


def test_every_environment_variable_of_the_service_is_documented():
    source = Path(service_settings.__file__).read_text()
    names = set(re.findall(r'\benv\.\w+\(\s*"(\w+)"', source))
    assert len(names) > 15
    documented = {span for page in (OPERATING, SIGN_IN) for span in read_code_spans(page)}
    assert names - documented == set()
    rows = [row for page in (OPERATING, SIGN_IN) for row in read_table(page, header="Variable")]
    in_table = {span for row in rows for span in re.findall(r"`(\w+)`", row[0])}
    of_app = {name for name in documented if re.fullmatch(r"CONVERSATIONS_[A-Z_]+", name)}
    assert in_table | of_app == names


def parse_command(name: str, arguments: list[str]) -> None:
    command = load_command_class(get_commands()[name], name)
    command.create_parser("manage.py", name).parse_args(arguments)
