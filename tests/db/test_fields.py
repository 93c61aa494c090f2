import json

import pytest
from django.db import connections
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    JSONField,
    Max,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.fields.json import KT, KeyTransform
from django.test.utils import isolate_apps

from conversations.models import Conversation, Item

connection = connections[Conversation.objects.db]
PAIRS = [
    {"topic": "demo", "n": "2"},
    {"n": "10", "topic": "demo"},
    {"topic": 'a"b\\u0000', "n": "true"},
    {},
    {"topic": "demo", "n": "2"},
]
DEMO = [0, 1, 4]
# The escape of U+0000 alone, beside others, and after escaped backslashes, where "u0000" may be plain text.
TEXTS = ["W\0s\0l", "\0", "\0\0", "\\u0000", "\\\0", "\\\\u0000\0", "\\\\\0", '"\0"', "\n\0\\", "\ufffd", "plain", ""]


@pytest.fixture
def conversations(alice) -> list[Conversation]:
    return [Conversation.objects.create_with_items(owner=alice, metadata=pairs) for pairs in PAIRS]


def with_metadata(*args, **conditions) -> list[int]:
    """Return the indexes in `PAIRS` of the conversations that match."""
    ids = list(Conversation.objects.order_by("pk").values_list("pk", flat=True))
    matches = Conversation.objects.filter(*args, **conditions).order_by("pk").values_list("pk", flat=True)
    return [ids.index(conversation_id) for conversation_id in matches]


def sorted_texts(values) -> list[str]:
    return sorted(map(json.dumps, values))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"topic": "demo"}, DEMO),
        ({"topic": 'a"b\\u0000'}, [2]),
        ({"n": "true"}, [2]),
        ({"n__in": ["2", "10"]}, DEMO),
        ({"n__isnull": True}, [3]),
        ({"n__isnull": False}, [0, 1, 2, 4]),
        ({"topic__icontains": "EM"}, DEMO),
        ({"topic__startswith": "de"}, DEMO),
        ({"topic__iexact": "DEMO"}, DEMO),
        ({"topic__regex": "^d.mo$"}, DEMO),
        ({"topic__iregex": "^D.MO$"}, DEMO),
        ({"topic__endswith": "mo"}, DEMO),
        ({"topic__iendswith": "MO"}, DEMO),
        ({"n": None}, []),
        ({"has_key": "n"}, [0, 1, 2, 4]),
        ({"has_keys": ["n", "topic"]}, [0, 1, 2, 4]),
        ({"has_any_keys": ["x", "topic"]}, [0, 1, 2, 4]),
        ({"contains": {"topic": "demo"}}, DEMO),
        ({"contains": {"topic": "demo", "n": "10"}}, [1]),
        ({"contains": {}}, [0, 1, 2, 3, 4]),
        ({"contained_by": {"topic": "demo", "n": "2", "x": "1"}}, [0, 3, 4]),
        ({"in": [{"topic": "demo", "n": "2"}, {}]}, [0, 3, 4]),
        ({"icontains": "DEMO"}, DEMO),
    ],
)
def test_metadata_has_djangos_lookups(conversations, condition, expected):
    assert with_metadata(**{f"metadata__{name}": value for name, value in condition.items()}) == expected


def test_metadata_compares_with_values_columns_and_subqueries(conversations):
    assert with_metadata(metadata=PAIRS[0]) == [0, 4]
    assert with_metadata(metadata=F("metadata")) == [0, 1, 2, 3, 4]
    assert with_metadata(metadata__topic=F("metadata__n")) == []
    demo = Conversation.objects.filter(metadata__topic="demo")
    assert with_metadata(metadata__in=demo.values("metadata")) == DEMO
    assert with_metadata(metadata=Subquery(demo.order_by("pk").values("metadata")[:1])) == [0, 4]
    assert with_metadata(~Q(metadata__contains={"topic": "demo"})) == [2, 3]
    assert with_metadata(metadata=Value(None, JSONField())) == with_metadata(metadata__isnull=True) == []


@pytest.mark.parametrize("key", ["größe", "🎉", "a b", "a\\b", "a.b", "a'b", "", "$", "x[0]", "\n", "\u2028", "\x7f"])
def test_metadata_key_may_have_any_name(alice, key):
    Conversation.objects.create_with_items(owner=alice, metadata={"a": "ü", key: "Value"})
    rows = Conversation.objects.filter(**{f"metadata__{key}": "Value"}, metadata__has_key=key)
    assert list(rows.filter(**{f"metadata__{key}__icontains": "VAL"}).values_list(KT(f"metadata__{key}"))) == [
        ("Value",)
    ]
    assert [row.metadata for row in Conversation.objects.filter(metadata__contains={key: "Value"})] == [
        {"a": "ü", key: "Value"}
    ]


def test_metadata_is_distinct_combined_grouped_and_sorted(conversations):
    rows = Conversation.objects.all()
    different = sorted_texts({json.dumps(pairs): pairs for pairs in PAIRS}.values())
    assert sorted_texts(rows.values_list("metadata", flat=True).distinct()) == different
    assert len(rows.distinct()) == len(rows.union(rows)) == len(rows.intersection(rows)) == 5
    assert len(rows.difference(rows.filter(metadata__topic="demo"))) == 2
    assert (
        sorted_texts(rows.values_list("metadata", flat=True).union(rows.values_list("metadata", flat=True)))
        == different
    )
    assert rows.distinct().count() == 5
    groups = rows.values("metadata__topic").annotate(number=Count("pk"))
    assert {(row["metadata__topic"], row["number"]) for row in groups} == {("demo", 3), ('a"b\\u0000', 1), (None, 1)}
    assert len(rows.values("metadata").annotate(number=Count("pk"))) == len(different)
    assert rows.aggregate(n=Count("metadata", distinct=True), topics=Count("metadata__topic", distinct=True)) == {
        "n": len(different),
        "topics": 2,
    }
    assert rows.aggregate(last=Max(KT("metadata__topic"))) == {"last": "demo"}
    by_number = rows.filter(metadata__has_key="n").order_by("metadata__n", "pk")
    assert list(by_number.values_list("metadata__n", flat=True)) == ["10", "2", "2", "true"]
    assert len(rows.order_by("metadata__n").distinct()) == len(rows.order_by("metadata")) == 5


def test_values_of_a_metadata_key_are_texts(conversations):
    rows = Conversation.objects.order_by("pk")
    numbers = ["2", "10", "true", None, "2"]
    assert list(rows.values_list("metadata__n", flat=True)) == numbers
    assert list(rows.values("metadata__n")) == [{"metadata__n": number} for number in numbers]
    for expression in (F("metadata__n"), KT("metadata__n")):
        assert list(rows.annotate(number=expression).values_list("number", flat=True)) == numbers
    assert set(rows.order_by().values_list("metadata__n", flat=True).distinct()) == set(numbers)
    topics = rows.annotate(topic=KeyTransform("topic", "metadata")).values_list("topic", flat=True)
    assert list(topics) == ["demo", "demo", 'a"b\\u0000', None, "demo"]


def test_metadata_is_returned_with_its_members_in_their_order(conversations):
    texts = [json.dumps(pairs) for pairs in PAIRS]
    rows = Conversation.objects.order_by("pk")
    for loaded in (
        [row.metadata for row in rows],
        [row.metadata for row in rows.only("metadata")],
        [row.metadata for row in rows.distinct()],
        rows.values_list("metadata", flat=True),
        rows.annotate(pairs=F("metadata")).values_list("pairs", flat=True),
        rows.annotate(
            pairs=Subquery(Conversation.objects.filter(pk=OuterRef("pk")).values("metadata")[:1])
        ).values_list("pairs", flat=True),
    ):
        assert list(map(json.dumps, loaded)) == texts
    either = Case(When(metadata__topic="demo", then=F("metadata")), default=Value({}, JSONField()))
    assert list(rows.annotate(either=either).values_list("either", flat=True)) == [*PAIRS[:2], {}, {}, PAIRS[4]]
    QuerySet(Conversation).bulk_update(list(rows), ["metadata"])
    assert [json.dumps(row.metadata) for row in rows] == texts


THING = {
    "id": "thing_1",
    "type": "thing",
    "z": 1.5,
    "a": None,
    "number": "123",
    "one": 1,
    "yes": True,
    "list": [1, {"text": "W\0s"}],
    "output": "W\0s\0l",
}
OTHER = {"id": "thing_2", "type": "thing", "one": 2, "output": "x"}


@pytest.fixture
def things(alice) -> None:
    Conversation.objects.create_with_items(owner=alice, items=[THING, OTHER], validate=False)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"output": "W\ufffds\ufffdl"}, [THING]),
        ({"output": "W\0s\0l"}, [THING]),
        ({"output__in": ["W\ufffds\ufffdl", "y"]}, [THING]),
        ({"output__icontains": "S\ufffdL"}, [THING]),
        ({"number": "123"}, [THING]),
        ({"one": 2}, [OTHER]),
        ({"one__gt": 1}, [OTHER]),
        ({"z__lt": 2}, [THING]),
        ({"yes": True}, [THING]),
        ({"a": None}, [THING]),
        ({"a__isnull": True}, [OTHER]),
        ({"list__1__text": "W\ufffds"}, [THING]),
        ({"list__1__has_key": "text"}, [THING]),
        ({"list": [1, {"text": "W\0s"}]}, [THING]),
        ({"has_key": "z"}, [THING]),
        ({"has_keys": ["z", "output"]}, [THING]),
        ({"has_any_keys": ["y", "one"]}, [THING, OTHER]),
        ({"contains": {"list": [{"text": "W\ufffds"}]}}, [THING]),
        ({"contains": {"list": [{"text": "W\0s"}], "one": 1}}, [THING]),
        ({"contains": {"one": True}}, []),
        ({"list__contains": [1]}, [THING]),
        ({"isnull": False}, [THING, OTHER]),
    ],
)
def test_data_of_items_has_lookups_with_the_replacement_character_for_nul(things, condition, expected):
    rows = Item.objects.filter(**{f"data__{name}": value for name, value in condition.items()})
    assert [row.data for row in rows.order_by("pk")] == expected


def test_values_of_a_data_key_have_the_replacement_character_for_nul(things):
    names = ("type", "z", "a", "number", "one", "yes", "list", "list__1", "list__0", "list__1__text", "output", "none")
    first, second = Item.objects.order_by("data__one").values_list(*(f"data__{name}" for name in names))
    nested = {"text": "W\ufffds"}
    assert first == ("thing", 1.5, None, "123", 1, True, [1, nested], nested, 1, "W\ufffds", "W\ufffds\ufffdl", None)
    assert type(first[5]) is bool
    assert second[:5] == ("thing", None, None, None, 2)
    outputs = Item.objects.order_by("data__output").values_list("data__output", flat=True)
    assert list(outputs) == ["W\ufffds\ufffdl", "x"]
    assert list(outputs.reverse()) == ["x", "W\ufffds\ufffdl"]


def test_data_of_items_is_returned_as_it_is_stored(things, alice):
    rows = Item.objects.order_by("pk")
    texts = [json.dumps(THING), json.dumps(OTHER)]
    first_items = Item.objects.filter(conversation=OuterRef("pk")).order_by("position")
    for loaded in (
        [row.data for row in rows],
        rows.values_list("data", flat=True),
        rows.distinct().values_list("data", flat=True),
        [row.data for row in rows.order_by().union(rows.order_by()).order_by("position")],
        rows.filter(data__in=Item.objects.values("data")).values_list("data", flat=True),
    ):
        assert list(map(json.dumps, loaded)) == texts
    assert list(rows.filter(data=THING).values_list("data", flat=True)) == [THING]
    with_first = Conversation.objects.annotate(first=Subquery(first_items.values("data")[:1]))
    assert json.dumps(with_first.get().first) == texts[0]
    for condition in ({"first__one": 1}, {"first__output__icontains": "S\ufffdL"}, {"first__has_key": "z"}):
        assert with_first.filter(**condition).count() == 1, condition
    assert Conversation.objects.filter(Exists(first_items.filter(data__one=2))).count() == 1
    assert Conversation.objects.filter(items__data__has_key="one").distinct().count() == 1


@pytest.mark.parametrize("text", TEXTS)
def test_key_of_json_with_nul_has_the_replacement_character(alice, text):
    item = {"id": "x_1", "type": "unheard_of", "output": text, "\0": "\0", "inner": {"list": [1, text]}}
    conversation = Conversation.objects.create_with_items(owner=alice, items=[item], validate=False)
    shown = text.replace("\0", "\ufffd")
    texts = conversation.items.values_list(KT("data__output"), KT("data__inner__list__1"), "data__output")
    assert list(texts) == [(shown, shown, shown)]
    assert list(conversation.items.filter(data__output=text, data__inner={"list": [1, text]})) == list(
        conversation.items.all()
    )
    assert list(conversation.items.values_list("data", flat=True)) == [item]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Other databases compare names as they are written.")
@pytest.mark.parametrize("key", ["größe", "a\ufffdb"])
def test_data_key_outside_ascii_is_found_on_postgresql(alice, key):
    item = {"id": "x_1", "type": "thing", "größe": "v", "a\0b": "v"}
    Conversation.objects.create_with_items(owner=alice, items=[item], validate=False)
    assert Item.objects.filter(**{f"data__{key}": "v"}, data__has_key=key).count() == 1


@pytest.fixture
def plain(transactional_db, conversations):
    """A model with a plain `JSONField`, whose rows have the metadata of the conversations and their keys as names."""
    with isolate_apps("conversations"):

        class Plain(Model):  # noqa: DJ008 - no admin shows it
            name = CharField(max_length=64)
            metadata = JSONField()

            class Meta:
                app_label = "conversations"

    with connection.schema_editor() as editor:
        editor.create_model(Plain)
    rows = QuerySet(Plain, using=connection.alias)
    rows.bulk_create(Plain(name=row.pk, metadata=row.metadata) for row in conversations)
    yield rows
    with connection.schema_editor() as editor:
        editor.delete_model(Plain)


def test_metadata_is_filtered_and_sorted_as_a_plain_json_field(plain):
    rows = Conversation.objects.all()
    conditions = [
        {f"{key}__{lookup}": value}
        for key, value in (("n", "10"), ("n", "2"), ("n", "T.u"), ("topic", "demo"), ("topic", "Em"), ("x", "x"))
        for lookup in ("exact", "gt", "gte", "lt", "lte", "icontains", "endswith", "istartswith", "regex", "iregex")
    ]
    conditions += [{"n": None}, {"n__exact": None}, {"n__isnull": True}, {"n__in": ["2", None]}, {"x": None}]
    for condition in conditions:
        names = {f"metadata__{name}": value for name, value in condition.items()}
        for select in ("filter", "exclude"):
            expected = set(getattr(plain, select)(**names).values_list("name", flat=True))
            assert set(getattr(rows, select)(**names).values_list("pk", flat=True)) == expected, (select, condition)
    for order in ("metadata__n", "-metadata__n", "-metadata__topic"):
        expected = list(plain.order_by(order, "name").values_list("name", flat=True))
        assert list(rows.order_by(order, "pk").values_list("pk", flat=True)) == expected, order
