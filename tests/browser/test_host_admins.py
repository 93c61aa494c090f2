"""The app's pages in the admins of other projects, each in a process of its own."""

import django
import pytest
from playwright.sync_api import Browser

from tests.host.run import run_in_host


@pytest.fixture(autouse=True)
def _browser(browser: Browser) -> None:
    """Skip these tests where there is no browser."""


@pytest.mark.slow
def test_pages_work_under_the_newest_django_unfold():
    run_in_host("tests.host.unfold_settings", "tests.host.try_unfold")


@pytest.mark.slow
@pytest.mark.skipif(django.VERSION < (6, 1), reason="the templates of older admins have no nonces")
def test_pages_work_under_a_policy_that_requires_nonces():
    run_in_host("tests.host.nonce_settings", "tests.host.try_nonce")
