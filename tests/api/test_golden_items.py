import json

import pytest

from conversations.models import Item
from conversations.schema.include import INCLUDABLE
from conversations.schema.items import ITEM_TYPES
from tests.schema.golden import FILES, MINTED

STORED_TYPES = sorted(FILES.keys() - {"compaction_trigger", "item_reference"})


def test_every_item_type_has_a_golden_file():
    assert FILES.keys() == ITEM_TYPES.keys()


@pytest.mark.parametrize("item_type", STORED_TYPES)
def test_accepted_items_are_returned_as_in_the_golden_file(as_alice, item_type):
    query = "&".join(f"include[]={value}" for value in INCLUDABLE)
    for case in FILES[item_type]["accepted"]:
        conversation_id = as_alice.new_conversation()
        response = as_alice.post(f"/conversations/{conversation_id}/items?{query}", {"items": [case["sent"]]})
        [returned] = response.json()["data"]
        expected = case["returned"]
        if expected["id"] == MINTED:
            expected = {**expected, "id": returned["id"]}
        assert json.dumps(returned) == json.dumps(expected)
        assert as_alice.items(conversation_id, **{"include[]": INCLUDABLE}) == [returned]
        assert as_alice.get(f"/conversations/{conversation_id}/items/{returned['id']}?{query}").json() == returned


@pytest.mark.parametrize("item_type", sorted(FILES))
def test_refused_items_get_openais_error_message(as_alice, assert_error, item_type):
    assert FILES[item_type]["refused"]
    for case in FILES[item_type]["refused"]:
        response = as_alice.post("/conversations", {"items": [case["sent"]]})
        assert_error(response, 400, case["message"], param=case["param"], code=case["code"])
    assert not Item.objects.exists()
