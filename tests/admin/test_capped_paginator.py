import pytest

from conversations.admin.keyset import CappedPaginator
from conversations.models import Conversation


class SmallPaginator(CappedPaginator):
    max_count = 4


@pytest.fixture
def six_ids(alice) -> list[str]:
    return [Conversation.objects.create_with_items(owner=alice).pk for _ in range(6)][::-1]


def newest_first():
    return Conversation.objects.order_by("-id")


def test_paginator_counts_and_pages_up_to_the_cap(six_ids):
    paginator = SmallPaginator(newest_first(), 2)
    assert (paginator.count, paginator.num_pages, paginator.row_count.is_capped) == (4, 2, True)
    assert [row.pk for row in paginator.page(2)] == six_ids[2:4]


def test_paginator_count_is_exact_up_to_the_cap(six_ids):
    paginator = SmallPaginator(newest_first().filter(pk__in=six_ids[:4]), 3)
    assert (paginator.count, paginator.num_pages, paginator.row_count.is_capped) == (4, 2, False)
    assert [row.pk for row in paginator.page(2)] == six_ids[3:4]


@pytest.mark.parametrize(("number", "nearest"), [(-1, 1), (0, 1), (3, 2), (99, 2)])
def test_page_number_out_of_range_is_clamped(six_ids, number, nearest):
    assert SmallPaginator(newest_first(), 2).page(number).number == nearest


def test_capped_count_is_displayed_with_a_plus(six_ids):
    assert str(SmallPaginator(newest_first(), 2).row_count) == "4+"
    assert str(SmallPaginator(newest_first().filter(pk__in=six_ids[:3]), 2).row_count) == "3"
