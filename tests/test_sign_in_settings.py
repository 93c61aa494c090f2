"""The settings of the staff sign-in."""

import shlex
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, SIGN_IN, read_blocks, read_table
from tests.live.service import clean_environment

PROVIDER = {
    "OIDC_ISSUER": "https://login.example.com",
    "OIDC_CLIENT_ID": "conversations",
    "OIDC_CLIENT_SECRET": "secret",
    "OIDC_GROUPS": "support=Conversation readers",
}


def read_settings(source: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from project.settings import *; {source}"]
    environment = clean_environment(SECRET_KEY="x", **variables)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("missing", ["OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_GROUPS"])
def test_incomplete_provider_keeps_the_service_from_starting(missing):
    run = read_settings("", **{**PROVIDER, missing: ""})
    assert run.stderr.splitlines()[-1].endswith("OIDC_ISSUER needs OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and OIDC_GROUPS.")


def test_passwords_cannot_be_switched_off_without_a_provider():
    run = read_settings("", PASSWORD_LOGIN="false")
    assert run.stderr.splitlines()[-1].endswith("PASSWORD_LOGIN=false needs OIDC_ISSUER, or nobody could log in.")


def test_provider_without_its_extra_keeps_the_service_from_starting():
    source = "import sys; sys.modules['authlib'] = None; import project.settings"
    command = [sys.executable, "-c", source]
    environment = clean_environment(SECRET_KEY="x", **PROVIDER)
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 1
    assert 'needs the extra "oidc"' in run.stderr


@pytest.mark.parametrize(
    ("variables", "backends"),
    [
        ({}, ["AxesStandaloneBackend", "ModelBackend"]),
        (PROVIDER, ["AxesStandaloneBackend", "ModelBackend", "ProviderBackend"]),
        ({**PROVIDER, "PASSWORD_LOGIN": "false"}, ["AxesStandaloneBackend", "ProviderBackend"]),
    ],
)
def test_backends_follow_the_settings(variables, backends):
    run = read_settings("print(*(path.rpartition('.')[2] for path in AUTHENTICATION_BACKENDS))", **variables)
    assert run.stdout.split() == backends


def test_documented_variables_configure_the_provider():
    [block] = read_blocks(SIGN_IN)
    variables = dict(word.split("=", 1) for word in shlex.split(block.text))
    run = read_settings("print(OIDC_ISSUER, OIDC_GROUPS)", **variables)
    groups = {
        "support": "Conversation readers",
        "support-leads": "Conversation operators",
        "platform": "superuser",
    }
    assert run.stdout == f"https://login.example.com/realms/company {groups}\n", run.stderr


def test_documented_defaults_are_those_of_the_settings():
    rows = read_table(SIGN_IN, header="Variable")
    defaults = {row[0].strip("`"): row[1].strip("`") for row in rows if row[1] != "none"}
    values = "{'true' if v is True else 'false' if v is False else ','.join(v) if isinstance(v, list) else v}"
    run = read_settings(f"print(*(f\"{values}\" for v in ({', '.join(defaults)})), sep='\\n')")
    assert run.stdout.split() == list(defaults.values()), run.stderr
