import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.test import RequestFactory

from conversations.admin import ConversationAdmin
from conversations.admin.paginator import CappedPaginator
from conversations.models import Conversation


class SmallPaginator(CappedPaginator):
    max_count = 4


class SmallPages(ConversationAdmin):
    list_per_page = 2
    list_max_show_all = 2
    paginator = SmallPaginator


@pytest.fixture
def six_ids(alice) -> list[str]:
    return [Conversation.create_with_items(owner=alice).pk for _ in range(6)][::-1]


def newest_first():
    return Conversation.objects.order_by("-id")


def test_no_more_rows_than_the_cap_are_counted_or_paged_through(six_ids):
    paginator = SmallPaginator(newest_first(), 2)
    assert (paginator.count, paginator.num_pages, paginator.is_capped) == (4, 2, True)
    assert [row.pk for row in paginator.page(2)] == six_ids[2:4]


def test_the_count_is_exact_up_to_the_cap(six_ids):
    paginator = SmallPaginator(newest_first().filter(pk__in=six_ids[:4]), 3)
    assert (paginator.count, paginator.num_pages, paginator.is_capped) == (4, 2, False)
    assert [row.pk for row in paginator.page(2)] == six_ids[3:4]


@pytest.mark.parametrize(("number", "nearest"), [(-1, 1), (0, 1), (3, 2), (99, 2)])
def test_a_page_that_is_not_there_is_the_nearest_one(six_ids, number, nearest):
    assert SmallPaginator(newest_first(), 2).page(number).number == nearest


def test_the_count_is_shown_with_a_plus_when_capped(six_ids):
    assert SmallPaginator(newest_first(), 2).shown_count == "4+"
    assert SmallPaginator(newest_first().filter(pk__in=six_ids[:3]), 2).shown_count == "3"


def test_the_list_says_that_there_are_more_rows_than_counted(six_ids):
    request = RequestFactory().get("/", {"p": "2"})
    request.user = User.objects.create_superuser("admin")
    response = SmallPages(Conversation, AdminSite()).changelist_view(request)
    assert [row.pk for row in response.context_data["cl"].result_list] == six_ids[2:4]
    html = " ".join(response.render().content.decode().split())
    assert "4+ conversations (the first 4 can be paged through: filter to reach others)" in html
