import re
from pathlib import Path
from typing import get_type_hints

import pytest

from conversations import ids
from conversations.schema.items import ITEM_TYPES, item_id_prefix
from conversations.schema.items.types import variants
from tests.schema.golden import FILES

COMPATIBILITY = Path(__file__).parents[3] / "conversations" / "docs" / "compatibility.md"

each_item_type = pytest.mark.parametrize("item_type", ITEM_TYPES.values(), ids=ITEM_TYPES)


def member_names(item_type):
    return {name for variant in variants(item_type.definition) for name in get_type_hints(variant)}


def test_every_stored_type_has_an_id_prefix():
    assert {name for name, item_type in ITEM_TYPES.items() if not item_type.id_prefix} == {
        "compaction_trigger",
        "item_reference",
    }


@pytest.mark.parametrize("prefix", sorted({item_type.id_prefix for item_type in ITEM_TYPES.values()} - {""}))
def test_new_ids_of_every_prefix_are_valid(prefix):
    assert re.fullmatch(r"[a-z]+_", prefix)
    ids.check_id(ids.new_id(prefix), prefix=prefix, path="id")


def test_no_known_prefix_begins_the_new_ids_of_a_type_with_another_prefix():
    known = {item_type.id_prefix for item_type in ITEM_TYPES.values() if item_type.is_prefix_known} - {""}
    for item_type in ITEM_TYPES.values():
        assert not any(item_type.id_prefix.startswith(prefix) for prefix in known - {item_type.id_prefix})


def test_unknown_types_share_a_prefix():
    assert item_id_prefix("telepathy") == "item_"


@each_item_type
def test_searchable_members_are_members_of_the_definition(item_type):
    assert set(item_type.searchable) <= member_names(item_type)


@each_item_type
def test_output_type_of_a_call_is_registered_and_has_its_pairing_member(item_type):
    if item_type.output_type:
        assert item_type.pairing_member in member_names(item_type)
        output = ITEM_TYPES[item_type.output_type]
        assert not output.output_type
        assert output.pairing_member in member_names(output)


@each_item_type
def test_golden_file_has_every_member_of_the_definition(item_type):
    paths = [path.partition(".") for path in FILES[item_type.name]["members"]]
    top_level_members = {member for _, _, member in paths if re.fullmatch(r"\w+", member)}
    assert top_level_members | {"type"} >= member_names(item_type)


def test_documentation_lists_the_id_prefix_of_every_stored_type_and_whether_it_is_known():
    table = COMPATIBILITY.read_text("utf-8").partition("\n## Ids\n")[2].partition("\n#")[0]
    sources = {
        item_type: (prefix, source == "OpenAI")
        for prefixes, source in re.findall(r"^\| (`.*) \| ([^|]*) \|$", table, re.MULTILINE)
        for prefix, item_type in re.findall(r"`([a-z]+_)` (\w+)(?=,|$)", prefixes)
    }
    assert sources.pop("conversation") == (ids.CONVERSATION_PREFIX, True)
    assert sources == {
        name: (item_type.id_prefix, item_type.is_prefix_known)
        for name, item_type in ITEM_TYPES.items()
        if item_type.id_prefix
    }
