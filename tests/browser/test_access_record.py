from collections import Counter

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from conversations import ids
from conversations.models import AccessRecord
from conversations.retention.receipt import Receipt

URL = reverse("admin:conversations_accessrecord_changelist")


@pytest.fixture
def records(admin_user):
    AccessRecord.objects.record(
        user=admin_user, action=AccessRecord.Action.READ, conversation_id=ids.new_id(ids.CONVERSATION_PREFIX)
    )
    query = 'topic:demo tenant^ac created>=2026-01-01 -metadata["order id"]:"6735" ' * 3
    AccessRecord.objects.record(
        user=admin_user, action=AccessRecord.Action.EXPORT, query=query.strip(), conversation_count=120_034
    )
    erased = Receipt(finished_at=timezone.now(), counts=Counter({"conversations": 1_234, "checked": 1_234}))
    AccessRecord.objects.record(user=admin_user, action=AccessRecord.Action.ERASURE, details=erased.as_dict())


def test_all_columns_are_visible_at_1280_pixels(admin_page: Page, records):
    admin_page.set_viewport_size({"width": 1280, "height": 800})
    admin_page.goto(URL)
    results = admin_page.locator("#changelist-form .results")
    assert results.evaluate("box => box.scrollWidth <= box.clientWidth")


def test_access_log_fits_a_narrow_screen(admin_page: Page, records):
    admin_page.set_viewport_size({"width": 320, "height": 800})
    admin_page.goto(URL)
    assert admin_page.evaluate("document.documentElement.scrollWidth") == 320
