import pytest
from django.utils import timezone

from conversations import ids
from conversations.models import FigureKind, FigureName, Item, Overview, OverviewFigure
from conversations.models.overview import MAX_KEYS, MAX_VALUES
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH


@pytest.fixture
def overview(db) -> Overview:
    return Overview.objects.create(time_zone="UTC")


def figures(overview: Overview, kind: str) -> dict[tuple[str, str], int]:
    return {
        (key, value): count
        for key, value, count in overview.figures.filter(kind=kind).values_list("key", "value", "count")
    }


def test_figures_add_up(overview):
    day, owner = FigureName(FigureKind.CONVERSATIONS, "2026-01-01"), FigureName(FigureKind.OWNER, "7")
    assert overview.add({day: 3, owner: 3}, last_conversation_id="conv_a")
    assert overview.add({day: 2, owner: 1, FigureName(FigureKind.OWNER, "8"): 1}, last_conversation_id="conv_b")
    assert figures(overview, FigureKind.CONVERSATIONS) == {("2026-01-01", ""): 5}
    assert figures(overview, FigureKind.OWNER) == {("7", ""): 4, ("8", ""): 1}
    overview.refresh_from_db()
    assert (overview.owner_count, overview.last_conversation_id) == (2, "conv_b")


def test_figures_added_by_a_parallel_run_are_not_added_again(overview):
    other = Overview.objects.get()
    day = FigureName(FigureKind.CONVERSATIONS, "2026-01-01")
    assert overview.add({day: 3}, last_conversation_id="conv_a")
    assert not other.add({day: 3}, last_conversation_id="conv_a")
    assert figures(overview, FigureKind.CONVERSATIONS) == {("2026-01-01", ""): 3}


def test_figure_names_are_compared_by_their_bytes(overview):
    names = [FigureName(FigureKind.VALUE, "k", value) for value in ("a", "A", "a ", "ä", "")]
    assert overview.add({FigureName(FigureKind.KEY, "k"): 5, **dict.fromkeys(names, 1)}, last_conversation_id="conv_a")
    assert len(figures(overview, FigureKind.VALUE)) == 5


def test_counts_of_the_first_keys_stay_exact_beyond_the_key_limit(overview):
    keys = [FigureName(FigureKind.KEY, f"key {number}") for number in range(MAX_KEYS + 1)]
    late = FigureName(FigureKind.VALUE, keys[-1].key, "x")
    assert overview.add(dict.fromkeys([*keys, late], 1), last_conversation_id="conv_a")
    assert overview.add(dict.fromkeys([*keys, late], 2), last_conversation_id="conv_b")
    assert figures(overview, FigureKind.KEY) == {(name.key, ""): 3 for name in keys[:-1]}
    assert figures(overview, FigureKind.VALUE) == {}


def test_values_beyond_the_display_limit_are_stored_up_to_one(overview):
    key = FigureName(FigureKind.KEY, "order")
    values = [FigureName(FigureKind.VALUE, "order", str(number)) for number in range(MAX_VALUES + 9)]
    for number, some in enumerate([values[:30], values]):
        assert overview.add({key: len(some), **dict.fromkeys(some, 1)}, last_conversation_id=f"conv_{number}")
    assert figures(overview, FigureKind.KEY) == {("order", ""): 30 + len(values)}
    assert figures(overview, FigureKind.VALUE) == {
        ("order", str(number)): 2 if number < 30 else 1 for number in range(MAX_VALUES + 1)
    }


def test_completed_overview_replaces_earlier_overviews(overview):
    assert Overview.objects.current() is None
    overview.complete(sizes={FigureName(FigureKind.SIZE, "t", "table"): 1}, counted_at=timezone.now())
    assert Overview.objects.current() == overview
    later = Overview.objects.create(time_zone="UTC")
    assert Overview.objects.current() == overview
    later.complete(sizes={FigureName(FigureKind.SIZE, "t", "table"): 2}, counted_at=timezone.now())
    assert list(Overview.objects.all()) == [later]
    assert [figure.count for figure in OverviewFigure.objects.all()] == [2]


def test_deleted_overview_is_neither_updated_nor_completed(overview):
    gone = Overview.objects.get()
    overview.delete()
    assert not gone.add({FigureName(FigureKind.OWNER, "7"): 1}, last_conversation_id="conv_a")
    gone.complete(sizes={FigureName(FigureKind.SIZE, "t", "table"): 1}, counted_at=timezone.now())
    assert not OverviewFigure.objects.exists()


def test_sizes_are_replaced(overview):
    for size in (1, 2):
        overview.complete(sizes={FigureName(FigureKind.SIZE, "t", "table"): size}, counted_at=timezone.now())
    assert figures(overview, FigureKind.SIZE) == {("t", "table"): 2}


def test_figure_names_fit_the_longest_keys_values_and_types(overview):
    names = [
        FigureName(FigureKind.KEY, "🎉" * MAX_KEY_LENGTH),
        FigureName(FigureKind.VALUE, "🎉" * MAX_KEY_LENGTH, "🎉" * MAX_VALUE_LENGTH),
        FigureName(FigureKind.ITEMS, "2026-01-01", "t" * Item._meta.get_field("type").max_length),
    ]
    assert overview.add(dict.fromkeys(names, 1), last_conversation_id="c" * ids.MAX_LENGTH)
    assert OverviewFigure.objects.counts(overview, names) == dict.fromkeys(names, 1)
