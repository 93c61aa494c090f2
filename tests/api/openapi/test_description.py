"""What the description says, where a client generator or a gateway depends on it."""

import re

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

import conversations.api.openapi.extensions  # noqa: F401 - registers the extensions
from conversations.conf import MAX_PAGE_SIZE
from conversations.schema.include import INCLUDABLE
from conversations.schema.items import ITEM_TYPES
from conversations.schema.query.operators import METADATA_OPERATORS
from conversations.urls import urlpatterns


@pytest.fixture
def generate():
    """Return a function that generates the description with other settings of drf-spectacular."""

    def generate(**spectacular_settings):
        GENERATOR_STATS.reset()
        with patched_settings(spectacular_settings):
            return SchemaGenerator(urlconf="conversations.urls").get_schema(public=True)

    return generate


def schema(description, name):
    return description["components"]["schemas"][f"conversations.{name}"]


def parameter(description, path, name):
    return next(each for each in description["paths"][path]["get"]["parameters"] if each["name"] == name)


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@pytest.mark.parametrize("hooks", [[], ["drf_spectacular.hooks.postprocess_schema_enums"]])
def test_description_is_valid_in_every_version_of_openapi_and_without_warnings(generate, version, hooks):
    description = generate(OAS_VERSION=version, POSTPROCESSING_HOOKS=hooks)
    validate_schema(description)
    assert not GENERATOR_STATS
    assert {name for name in description["components"]["schemas"] if not name.startswith("conversations.")} == set()


def test_description_contains_every_url_and_no_catch_all(description):
    named = {re.sub(r"<str:(\w+)>", r"{\1}", f"/{each.pattern}") for each in urlpatterns if each.name}
    assert set(description["paths"]) == named
    assert description["servers"] == [{"url": "/v1"}]


def test_metadata_is_an_object_of_texts(description):
    assert schema(description, "Metadata")["type"] == "object"
    value = {"type": "string", "maxLength": 512, "pattern": r"^[^\u0000]*$"}
    assert schema(description, "Metadata")["additionalProperties"] == value


@pytest.mark.parametrize(("name", "is_sent"), [("InputItem", True), ("ConversationItem", False)])
def test_items_are_a_union_that_the_type_discriminates(description, name, is_sent):
    union = schema(description, name)
    types = {name for name, item_type in ITEM_TYPES.items() if is_sent or item_type.id_prefix}
    assert union["discriminator"]["propertyName"] == "type"
    assert set(union["discriminator"]["mapping"]) == types
    assert {"$ref": union["discriminator"]["mapping"]["message"]} in union["oneOf"]


@pytest.mark.parametrize("name", ["ConversationList", "ConversationItemList", "MetadataTextList"])
def test_lists_say_whether_there_is_more(description, name):
    assert schema(description, name)["properties"]["has_more"]["type"] == "boolean"
    assert "has_more" in schema(description, name)["required"]


def test_every_operation_has_errors_in_the_envelope_and_needs_an_api_key(description):
    schemes = description["components"]["securitySchemes"]
    assert {(each["type"], each.get("scheme", each.get("name"))) for each in schemes.values()} == {
        ("http", "bearer"),
        ("http", "basic"),
        ("apiKey", "api-key"),
    }
    envelope = {"$ref": "#/components/schemas/conversations.Error"}
    for operations in description["paths"].values():
        for operation in operations.values():
            assert sorted(name for [name] in operation["security"]) == sorted(schemes)
            assert operation["responses"].keys() >= {"200", "400", "401", "403", "429", "500", "503"}
            for status, response in operation["responses"].items():
                assert (response["content"]["application/json"]["schema"] == envelope) == (status != "200")


def test_parameters_have_the_bounds_that_the_server_checks(description):
    conversations, items = "/conversations", "/conversations/{conversation_id}/items"
    for path in (conversations, items):
        bounds = parameter(description, path, "limit")["schema"]
        assert bounds == {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": 20}
    assert parameter(description, items, "include[]")["schema"]["items"]["enum"] == list(INCLUDABLE)
    metadata = parameter(description, conversations, "metadata")
    operators = metadata["schema"]["additionalProperties"]["anyOf"][1]["properties"]
    assert (metadata["style"], set(operators)) == ("deepObject", set(METADATA_OPERATORS))


def test_settings_of_the_app_change_the_description(generate, settings):
    settings.CONVERSATIONS_DEFAULT_PAGE_SIZE = 50
    settings.CONVERSATIONS_MAX_ITEMS_PER_REQUEST = 1_000
    settings.CONVERSATIONS_UNKNOWN_ITEM_FIELDS = "reject"
    settings.CONVERSATIONS_EXTRA_ITEM_TYPES = ["hologram"]
    description = generate(OAS_VERSION="3.1.0")
    assert parameter(description, "/conversations", "limit")["schema"]["default"] == 50
    assert schema(description, "CreateItemsBody")["properties"]["items"]["maxItems"] == 1_000
    body = Draft202012Validator(
        {"$ref": "#/components/schemas/conversations.CreateItemsBody", "components": description["components"]}
    )
    assert body.is_valid({"items": [{"type": "hologram", "beams": 3}]})
    assert not body.is_valid({"items": [{"role": "user", "content": "Hello!", "mood": "good"}]})
