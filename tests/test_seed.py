import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction

from conversations import ids
from conversations.models import Conversation, Item, MetadataPair
from conversations.schema.items import item_id_prefix, validate_items
from conversations.schema.metadata import validate_metadata
from tests import seed as seed_module
from tests.seed import ODD_PAIRS, Command

NUMBER = 3_000  # conversations: enough for the frequencies of rare values
BATCH = 100  # of small runs
START, YEAR = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=365)


pytestmark = pytest.mark.slow


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def seed(*arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command(Command(), *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


def snapshot() -> dict[str, list[tuple]]:
    """Return all rows without the primary keys of users and items, which differ between databases."""
    conversations = Conversation.objects.order_by("pk").values_list(
        "pk", "owner__username", "created_at", "metadata", "item_count", "last_position", "last_item_at"
    )
    items = Item.objects.order_by("conversation", "position")
    pairs = MetadataPair.objects.order_by("conversation", "key")
    return {
        "conversations": list(conversations),
        "items": list(items.values_list("conversation_id", "position", "item_id", "type", "created_at", "data")),
        "pairs": list(pairs.values_list("conversation_id", "key", "value", "owner__username")),
    }


@pytest.fixture(scope="module")
def seeded_rows(django_db_setup, django_db_blocker) -> dict[str, list[tuple]]:
    """Return the rows that the command stores in an empty database, and roll them back."""
    with django_db_blocker.unblock(), transaction.atomic():
        seed("--conversations", str(NUMBER))
        rows = snapshot()
        transaction.set_rollback(True)
    return rows


@pytest.fixture
def small_batches(monkeypatch) -> None:
    monkeypatch.setattr(seed_module, "BATCH", BATCH)


@pytest.fixture(scope="module")
def metadata(seeded_rows) -> list[dict[str, str]]:
    return [row[3] for row in seeded_rows["conversations"]]


def test_the_same_seed_makes_the_same_rows_in_an_empty_database(db, small_batches):
    snapshots = []
    for _ in range(2):
        with transaction.atomic():
            assert seed("--conversations", "250") == "Added 250 conversations.\n"
            snapshots.append(json.dumps(snapshot(), default=str))  # The text has the order of members too.
            transaction.set_rollback(True)
        assert not Conversation.objects.exists()
    assert snapshots[0] == snapshots[1]


def test_another_seed_or_start_adds_other_conversations(db):
    seed("--conversations", "30")
    before = set(Conversation.objects.values_list("pk", flat=True))
    seed("--conversations", "30", "--seed", "2")
    seed("--conversations", "30", "--start", "2024-07-01")
    assert before < set(Conversation.objects.values_list("pk", flat=True))
    assert Conversation.objects.count() == 90
    assert Conversation.objects.earliest("pk").created_at == datetime(2023, 7, 2, tzinfo=UTC)


@pytest.mark.parametrize("number", [20, 30, 40])
def test_repeated_seed_is_refused_and_changes_nothing(number, db):
    seed("--conversations", "30")
    before, users = snapshot(), User.objects.count()
    with pytest.raises(CommandError, match=r"^Conversations of seed 1 exist\. Nothing was added\. Choose another"):
        seed("--conversations", str(number))
    assert (snapshot(), User.objects.count()) == (before, users)


def test_batch_is_stored_atomically(alice, small_batches):
    arguments = ("--conversations", str(BATCH * 3 // 2))  # a full batch and half of a second one
    with transaction.atomic():
        seed(*arguments)
        conversation_ids = list(Conversation.objects.order_by("pk").values_list("pk", flat=True))
        transaction.set_rollback(True)
    last = conversation_ids[-1]
    Conversation.objects.create(pk=last, owner=alice, created_at=ids.created_at(last))
    with pytest.raises(CommandError, match=f"^Conversations of seed 1 exist. {BATCH:,} were added. Choose another"):
        seed(*arguments)
    ours = set(conversation_ids[:BATCH])
    assert set(Conversation.objects.values_list("pk", flat=True)) == {*ours, last}
    assert set(MetadataPair.objects.values_list("conversation", flat=True)) <= ours
    assert set(Item.objects.values_list("conversation", flat=True)) <= ours


def test_ids_are_well_formed_and_in_the_order_of_creation(seeded_rows):
    for conversation_id, _, created_at, *_ in seeded_rows["conversations"]:
        assert re.fullmatch("conv_[0-9a-f]{48}", conversation_id)
        assert ids.created_at(conversation_id) == created_at
    for _, _, item_id, item_type, created_at, data in seeded_rows["items"]:
        assert re.fullmatch(f"{item_id_prefix(item_type)}[0-9a-f]{{48}}", item_id)
        assert ids.created_at(item_id) == created_at
        assert (data["id"], data["type"]) == (item_id, item_type)
    assert len({row[2] for row in seeded_rows["items"]}) == len(seeded_rows["items"])


def test_conversations_are_spread_evenly_over_the_year_before_the_start(seeded_rows):
    times = [row[2] for row in seeded_rows["conversations"]]
    assert times == sorted(times)
    for number, created_at in enumerate(times):
        assert abs(created_at - (START - YEAR + YEAR * number / NUMBER)) < timedelta(seconds=1)


def test_counters_agree_with_the_items(seeded_rows):
    positions: dict[str, list[int]] = {}
    times: dict[str, list[datetime]] = {}
    for conversation_id, position, _, _, created_at, _ in seeded_rows["items"]:
        positions.setdefault(conversation_id, []).append(position)
        times.setdefault(conversation_id, []).append(created_at)
    for conversation_id, _, created_at, _, item_count, last_position, last_item_at in seeded_rows["conversations"]:
        of_items = times.get(conversation_id, [])
        assert positions.get(conversation_id, []) == list(range(1, item_count + 1))
        assert last_position == item_count
        assert last_item_at == (of_items[-1] if of_items else None)
        assert [created_at, *of_items] == sorted([created_at, *of_items])


def test_metadata_pairs_agree_with_the_conversation_and_its_owner(seeded_rows):
    pairs: dict[str, dict[str, str]] = {row[0]: {} for row in seeded_rows["conversations"]}
    owners = {row[0]: row[1] for row in seeded_rows["conversations"]}
    for conversation_id, key, value, owner in seeded_rows["pairs"]:
        pairs[conversation_id][key] = value
        assert owner == owners[conversation_id]
    assert pairs == {row[0]: row[3] for row in seeded_rows["conversations"]}


def test_seeded_items_pass_validation_unchanged(seeded_rows):
    for *_, data in seeded_rows["items"]:
        assert json.dumps(validate_items([data], unknown_fields="reject")) == json.dumps([data])


def test_items_are_user_and_assistant_turns_with_calls_and_reasoning(seeded_rows):
    of_conversations: dict[str, list[dict]] = {}
    for conversation_id, *_, data in seeded_rows["items"]:
        of_conversations.setdefault(conversation_id, []).append(data)
    turn = "user (reasoning )?(function_call function_call_output )?assistant "
    for items in of_conversations.values():
        text = "".join(f"{item.get('role', item['type'])} " for item in items)
        assert re.fullmatch(f"({turn})*(user )?", text), text
        calls = [item["call_id"] for item in items if "call_id" in item]
        assert calls[::2] == calls[1::2]
        assert len(set(calls)) * 2 == len(calls)
    types = Counter(row[3] for row in seeded_rows["items"])
    assert types.keys() == {"message", "reasoning", "function_call", "function_call_output"}
    assert types["message"] > types["function_call"] == types["function_call_output"] > len(seeded_rows["items"]) / 30
    assert types["reasoning"] > len(seeded_rows["items"]) / 30


def test_conversations_have_four_items_on_average(seeded_rows):
    counts = [row[4] for row in seeded_rows["conversations"]]
    assert sum(counts) / NUMBER == pytest.approx(4, abs=0.3)
    assert min(counts) == 0
    assert max(counts) > 20


@pytest.mark.parametrize(("average", "tolerance"), [("0", 0), ("0.5", 0.2), ("20", 4)])
def test_average_number_of_items_is_configurable(average, tolerance, db):
    seed("--conversations", "200", "--items-per", average)
    assert Item.objects.count() / 200 == pytest.approx(float(average), abs=tolerance)


def test_owners_have_very_different_numbers_of_conversations(seeded_rows):
    sizes = [size for _, size in Counter(row[1] for row in seeded_rows["conversations"]).most_common()]
    assert sizes[0] / NUMBER == pytest.approx(0.20, abs=0.03)
    assert len(sizes) > 200
    assert sizes[len(sizes) // 2] < NUMBER / 500


def test_owners_can_not_log_in(db):
    seed("--conversations", "50")
    for owner in User.objects.all():
        assert re.fullmatch("seed-[0-9]{4}", owner.username)
        assert not owner.has_usable_password()
        assert owner.conversations.exists()


def test_existing_owner_is_not_created_again(db):
    known = User.objects.create_user("seed-0001", password="secret")
    seed("--conversations", "50")
    assert known.conversations.exists()


def test_metadata_is_valid_and_typically_has_four_pairs(metadata):
    assert [validate_metadata(pairs) for pairs in metadata] == metadata
    sizes = Counter(map(len, metadata))
    assert sizes[4] > NUMBER * 0.85
    assert sizes[0] / NUMBER == pytest.approx(0.02, abs=0.01)
    assert sizes[16] / NUMBER == pytest.approx(0.01, abs=0.006)


def test_metadata_names_the_tenant_of_the_owner(seeded_rows):
    for _, owner, _, metadata, *_ in seeded_rows["conversations"]:
        assert metadata.get("tenant") == (owner.replace("seed", "tenant") if metadata else None)


def test_keys_and_values_have_the_documented_frequencies(metadata):
    assert sum("escalated" in pairs for pairs in metadata) / NUMBER == pytest.approx(0.01, abs=0.006)
    assert sum(pairs.get("channel") == "web" for pairs in metadata) / NUMBER == pytest.approx(0.49, abs=0.03)
    orders = [pairs["order_id"] for pairs in metadata if pairs]
    assert len(set(orders)) == len(orders)


def test_legacy_plan_occurs_only_in_the_oldest_twentieth(metadata):
    oldest, others = metadata[: NUMBER // 20], metadata[NUMBER // 20 :]
    assert {pairs["plan"] for pairs in oldest if pairs} == {"legacy"}
    assert {pairs["plan"] for pairs in others if pairs} == {"free", "team", "enterprise"}


@pytest.mark.parametrize("key", ODD_PAIRS)
def test_few_conversations_have_an_unusual_key(key, metadata):
    assert sum(key in pairs for pairs in metadata) / NUMBER == pytest.approx(0.005, abs=0.004)


@pytest.mark.parametrize(
    ("stream", "shown"), [(Terminal, "100 of 101 conversations\r101 of 101 conversations\n"), (StringIO, "")]
)
def test_progress_is_shown_only_on_a_terminal(stream, shown, db, small_batches):
    stderr = stream()
    seed("--conversations", str(BATCH + 1), "--items-per", "0", stderr=stderr)
    assert stderr.getvalue() == shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: --conversations"),
        (("--conversations", "0"), "argument --conversations: must be at least 1"),
        (("--conversations", "1", "--items-per", "-1"), "argument --items-per: must be 0 or more"),
        (("--conversations", "1", "--items-per", "nan"), "argument --items-per: must be 0 or more"),
        (("--conversations", "1", "--start", "soon"), "argument --start: 'soon' is not a date such as 2026-01-01"),
        (("--conversations", "1", "--start", "1970-12-31"), "argument --start: must be from 1971-01-01 to 2106-01-01"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message, db):
    with pytest.raises(CommandError, match=message):
        seed(*arguments)
    assert not User.objects.exists()
