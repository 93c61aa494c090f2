"""The translations are complete, and the compiled catalogues are up to date."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

from tests.catalogues import CATALOGUES, ROOT, read, texts

FIELD = re.compile(r"%\(\w+\)[sd]|%%|\{\w*\}|</?\w+")  # placeholders and HTML tags
MAX_NUMBER = 1_000  # Plural rules repeat well below it.

each_catalogue = pytest.mark.parametrize(
    "catalogue", CATALOGUES, ids=[str(path.relative_to(ROOT).parents[1]) for path in CATALOGUES]
)


def run(*command: str, directory: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        command, cwd=directory, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=600
    ).stdout


@pytest.fixture(scope="module")
def copy_with_extracted_strings(tmp_path_factory) -> Path:
    """Extract the strings of a copy of the source, as documented for contributors."""
    if not shutil.which("msgattrib"):
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("gettext is not installed")
    copy = tmp_path_factory.mktemp("source")
    for name in ("conversations", "project", "templates"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", copy)
    options = ("--all", "--no-wrap", "--add-location", "file")
    run(sys.executable, "manage.py", "makemessages", *options, directory=copy)
    return copy


@each_catalogue
@pytest.mark.parametrize("fault", ["untranslated", "only-fuzzy", "only-obsolete"])
def test_every_string_is_translated(copy_with_extracted_strings, catalogue, fault):
    extracted = copy_with_extracted_strings / catalogue.relative_to(ROOT)
    options = ["--no-obsolete"] if fault == "untranslated" else []
    assert run("msgattrib", f"--{fault}", *options, str(extracted), directory=extracted.parent) == ""


@each_catalogue
def test_compiled_catalogue_has_the_texts_of_its_source(copy_with_extracted_strings, catalogue, tmp_path):
    compiled = tmp_path / "django.mo"
    run("msgfmt", "--check-format", "-o", str(compiled), str(catalogue), directory=tmp_path)
    assert texts(read(compiled)) == texts(read(catalogue.with_suffix(".mo")))


@each_catalogue
def test_translations_have_the_placeholders_and_tags_of_their_strings(catalogue):
    translations = read(catalogue.with_suffix(".mo"))
    forms = Counter(map(translations.plural, range(MAX_NUMBER)))
    faults = []
    for key, text in texts(translations).items():
        message, form = key if isinstance(key, tuple) else (key, None)
        expected, fields = Counter(FIELD.findall(message)), Counter(FIELD.findall(text))
        # A form for one number only may say it in words.
        may_lack_number = form is not None and forms[form] == 1
        if fields != expected and not (may_lack_number and fields < expected):
            faults.append((message, text))
    assert faults == []


def test_service_offers_the_languages_that_have_a_catalogue():
    languages = [code for code, _ in settings.LANGUAGES if code != "en"]
    assert [path.parts[-3] for path in CATALOGUES] == languages * 2  # of the app, and of the service
