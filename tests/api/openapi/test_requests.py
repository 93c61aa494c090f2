"""Random requests that the description allows or forbids. schemathesis makes them and checks the responses."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import BaseSchema, Case, CheckFunction, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import hypothesis as schemathesis_hypothesis
from schemathesis.generation.feedback import NO_FEEDBACK

from conversations.api.openapi.operations import operations_by_view
from conversations.models import Conversation
from conversations.schema.items import validate_items
from conversations.schema.json_limits import MAX_INTEGER, MIN_INTEGER
from conversations.schema.query.nodes import MAX_CONDITIONS
from tests.schema.golden import STORED
from tests.schema.query.random_trees import format_tree, trees

load_all_checks()
ALWAYS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ALLOWED, FORBIDDEN = (
    [CHECKS.get_one(name) for name in (*ALWAYS, of_mode)]
    for of_mode in ("positive_data_acceptance", "negative_data_rejection")
)
OPERATIONS = [operation.id for operations in operations_by_view().values() for operation in operations.values()]

# schemathesis would replace parts of Hypothesis for all tests of the process, such as the printer of failing examples.
schemathesis_hypothesis.setup._is_patched = True

BODIES = {
    "createConversation": "CreateConversationBody",
    "createConversationItems": "CreateItemsBody",
    "forkConversation": "ForkConversationBody",
    "rewindConversation": "RewindConversationBody",
    "updateConversation": "UpdateConversationBody",
}

each_operation = pytest.mark.parametrize("operation_id", OPERATIONS)
random_cases = settings(
    max_examples=settings.default.max_examples // 4,
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def load(description: dict[str, Any]) -> BaseSchema:
    api = schemathesis.openapi.from_dict(description)
    api.app = get_wsgi_application()
    api.config.generation.update(with_security_parameters=False)
    return api


@pytest.fixture(scope="session")
def api(description) -> BaseSchema:
    return load(description)


@pytest.fixture(scope="session")
def api_without_metadata(description) -> BaseSchema:
    """The API without conditions on metadata, whose values can't be wrong: any value in a URL is a text."""
    description = deepcopy(description)
    operation = description["paths"]["/conversations"]["get"]
    operation["parameters"] = [each for each in operation["parameters"] if each["name"] != "metadata"]
    return load(description)


@pytest.fixture(autouse=True)
def _keep_connections() -> Iterator[None]:
    """Keep connections open at the end of a request, as Django's test client does: the test is in a transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def conversation(alice) -> Conversation:
    """A conversation with an item of every type."""
    items = validate_items([case["sent"] for case in STORED.values()], max_items=len(STORED))
    unique = {item.get("id", number): item for number, item in enumerate(items)}
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=list(unique.values()))


@each_operation
def test_request_that_the_description_allows_is_answered_as_it_says(api, conversation, alice_secret, operation_id):
    item_ids = [item.item_id for item in conversation.items.all()]
    operation = api.find_operation_by_id(operation_id)
    cases = st.sampled_from(item_ids).flatmap(
        lambda item_id: operation.as_strategy(
            GenerationMode.POSITIVE,
            feedback=NO_FEEDBACK,
            path_parameters={"conversation_id": conversation.pk, "item_id": item_id},
        )
    )

    @random_cases
    @given(cases, trees.map(format_tree))
    def check(case: Case, query: str) -> None:
        assume(not {"after", "before"} <= case.query.keys())
        assume(sum(name.startswith("metadata[") for name in case.query) <= MAX_CONDITIONS)
        if "query" in case.query:
            case.query["query"] = query
        if case.query.get("order_by") == "last_item_at":  # In this order, the end user has to see the cursor.
            case.query |= dict.fromkeys({"after", "before"} & case.query.keys(), conversation.pk)
            case.headers = {}
        if isinstance(case.body, dict):
            ids = [item["id"] for item in case.body.get("items") or [] if item.get("id")]
            assume(len(set(ids)) == len(ids))
            case.body = with_plain_integers(case.body)
        call_and_check(case, alice_secret, ALLOWED)

    check()


@each_operation
def test_request_that_the_description_forbids_is_refused(api_without_metadata, description, alice_secret, operation_id):
    operation = api_without_metadata.find_operation_by_id(operation_id)
    body = Draft202012Validator(
        {
            "$ref": f"#/components/schemas/conversations.{BODIES.get(operation_id, 'Error')}",
            "components": description["components"],
        }
    )

    @random_cases
    @given(operation.as_strategy(GenerationMode.NEGATIVE, feedback=NO_FEEDBACK))
    def check(case: Case) -> None:
        # A value that is wrong for one alternative of a union may be right for another.
        assume(not (operation_id in BODIES and body.is_valid(case.body)))
        call_and_check(case, alice_secret, FORBIDDEN)

    check()


def call_and_check(case: Case, secret: str, checks: list[CheckFunction]) -> None:
    """Send the request and check the response. Nothing stays in the database."""
    with transaction.atomic():
        case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, checks=checks)
        transaction.set_rollback(True)


def with_plain_integers(value: Any) -> Any:
    """Return the value with integers of at most 64 bits and without floats such as 1.0.

    The API refuses larger integers, and 1.0 where it expects an integer. JSON Schema can express neither.
    """
    match value:
        case bool():
            return value
        case int():
            return min(max(value, MIN_INTEGER), MAX_INTEGER)
        case float() if value.is_integer():
            return with_plain_integers(int(value))
        case list():
            return [with_plain_integers(member) for member in value]
        case dict():
            return {name: with_plain_integers(member) for name, member in value.items()}
    return value
