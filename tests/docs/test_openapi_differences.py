"""The description of the API, compared with the one that OpenAI publishes.

The golden file holds the `operation_facts` of OpenAI's description. Every difference is a row of a table in the
documentation.
"""

import json
import re
from typing import Any, get_type_hints

import pytest
from openai.types import conversations as types
from pydantic import BaseModel

from project.openapi import build_description
from tests.docs.operation_facts import operation_facts
from tests.docs.pages import DOCS, ROOT, read_table

OPENAI = json.loads((ROOT / "tests" / "golden" / "openai_operations.json").read_text())["operations"]
ABSENT, NOTHING = "not there", "nothing"

# The classes of OpenAI's package for the query parameters and the body, and for the response.
PACKAGE: dict[str, tuple[Any, type[BaseModel] | None]] = {
    "createConversation": (types.ConversationCreateParams, types.Conversation),
    "getConversation": (None, types.Conversation),
    "updateConversation": (types.ConversationUpdateParams, types.Conversation),
    "deleteConversation": (None, types.ConversationDeletedResource),
    "createConversationItems": (types.ItemCreateParams, types.ConversationItemList),
    "listConversationItems": (types.ItemListParams, types.ConversationItemList),
    "getConversationItem": (types.ItemRetrieveParams, None),
    "deleteConversationItem": (None, types.Conversation),
}


@pytest.fixture(scope="module")
def ours():
    return operation_facts(json.loads(build_description()))


def test_every_difference_from_the_description_of_openai_is_documented(ours):
    documented = {
        (part, here, there)
        for parts, here, there, _reason in read_table(DOCS / "compatibility.md", header="Part")
        for part in re.findall("`(.+?)`", parts)
    }
    assert documented == set(differences(ours))


def test_every_operation_that_openai_does_not_have_is_documented_for_clients():
    text = (DOCS / "clients.md").read_text()
    for path, operations in json.loads(build_description())["paths"].items():
        url = re.sub(r"\\{\w+\\}", r"[^/\\s]+", re.escape(f"/v1{path}"))
        if not {operation["operationId"] for operation in operations.values()} <= OPENAI.keys():
            assert re.search(rf"{url}(?![\w/])", text), path


@pytest.mark.parametrize("operation_id", OPENAI)
def test_golden_file_has_the_members_of_the_installed_package(operation_id):
    parameters, response = PACKAGE[operation_id]
    names = set(get_type_hints(parameters)) if parameters else set()
    assert member_names(operation_id, "body.", "query ") == names - member_names(operation_id, "path ")
    if response:
        assert member_names(operation_id, "response.") == set(response.model_fields)


def member_names(operation_id: str, *prefixes: str) -> set[str]:
    paths = "\n".join(OPENAI[operation_id])
    return {name for prefix in prefixes for name in re.findall(rf"^{re.escape(prefix)}(\w+)$", paths, re.MULTILINE)}


def differences(ours):
    """Yield what is different, here and at OpenAI. A part that differs in some of its operations names them."""
    for operation_id in ours.keys() - OPENAI.keys():
        yield operation_id, "an operation", ABSENT
    paths = {path for operations in (ours, OPENAI) for facts in operations.values() for path in facts}
    for path in paths:
        found = {
            operation_id: difference(ours[operation_id].get(path), OPENAI[operation_id].get(path))
            for operation_id in OPENAI
            if path in ours[operation_id] or path in OPENAI[operation_id]
        }
        if len(set(found.values())) == 1:
            found = {"": next(iter(found.values()))}
        for operation_id, (here, there) in found.items():
            if here != there:
                yield f"{path} of {operation_id}" if operation_id else path, here, there


def difference(here, there):
    return describe(here, there), describe(there, here)


def describe(facts, others):
    """Return the facts that the other description does not have."""
    if facts is None:
        return ABSENT
    return ", ".join(sorted(set(facts) - set(others or ()))) or ("documented" if others is None else NOTHING)
