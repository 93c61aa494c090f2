import pytest
from django.urls import reverse

from conversations import ids
from conversations.models import AccessRecord

URL = reverse("admin:conversations_accessrecord_changelist")


@pytest.fixture
def records(admin):
    AccessRecord.objects.record(
        user=admin, action=AccessRecord.Action.READ, conversation_id=ids.new_id(ids.CONVERSATION_PREFIX)
    )
    query = 'topic:demo tenant^ac created>=2026-01-01 -metadata["order id"]:"6735" ' * 3
    AccessRecord.objects.record(
        user=admin, action=AccessRecord.Action.EXPORT, query=query.strip(), conversation_count=120_034
    )


def test_all_columns_are_visible_at_1280_pixels(visit, admin, records):
    def steps(page):
        page.goto(URL)
        return page.evaluate(
            "(() => { const box = document.querySelector('#changelist-form .results');"
            " return [box.scrollWidth, box.clientWidth]; })()"
        )

    scroll_width, client_width = visit(steps, as_user=admin, viewport={"width": 1280, "height": 800})
    assert scroll_width <= client_width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_access_log_fits_a_narrow_screen(visit, admin, records, scheme):
    def steps(page):
        page.goto(URL)
        return page.evaluate("document.documentElement.scrollWidth")

    assert visit(steps, as_user=admin, viewport={"width": 320, "height": 800}, color_scheme=scheme) == 320
