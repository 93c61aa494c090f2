"""The longest that each text and array may be, and one more."""

import pytest

from conversations.errors import APIError
from conversations.schema.items import validate_items


def message(**part):
    return {"role": "user", "content": [part]}


def output(**members):
    return {"type": "function_call_output", "output": "", **members}


def patch(**members):
    return {"type": "apply_patch_call", "call_id": "c", "status": "completed", **members}


def operation(kind, **members):
    return patch(operation={"type": kind, "path": "a", **members})


def patch_output(**members):
    return {"type": "apply_patch_call_output", "call_id": "c", "status": "completed", **members}


def program(**members):
    return {"type": "program", "id": "prog_1", "call_id": "c", "code": "", "fingerprint": "", **members}


def program_output(**members):
    return {"type": "program_output", "id": "progo_1", "call_id": "c", "result": "", "status": "completed", **members}


def shell(**members):
    return {"type": "shell_call", "call_id": "c", "action": {"commands": []}, **members}


def shell_output(call_id="c", **members):
    outcome = {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}, **members}
    return {"type": "shell_call_output", "call_id": call_id, "output": [outcome]}


def container(**members):
    return tool("shell", environment={"type": "container_auto", **members})


def skill(**source):
    source = {"type": "base64", "media_type": "application/zip", "data": "a", **source}
    return container(skills=[{"type": "inline", "name": "a", "description": "", "source": source}])


def tool(kind, **members):
    return {"type": "additional_tools", "role": "developer", "tools": [{"type": kind, **members}]}


def namespaced(name):
    return tool("namespace", name="n", description="", tools=[{"type": "function", "name": name}])


def secret(value):
    secrets = [{"domain": "a", "name": "a", "value": value}]
    return container(network_policy={"type": "allowlist", "allowed_domains": ["a"], "domain_secrets": secrets})


def screenshot(call_id):
    return {"type": "computer_call_output", "call_id": call_id, "output": {"type": "computer_screenshot"}}


def search(**attributes):
    return {
        "type": "file_search_call",
        "id": "fs_1",
        "status": "completed",
        "queries": [],
        "results": [{"attributes": attributes}],
    }


MEGABYTES = 10_485_760
TOOL = "items[0].tools[0]"

STRINGS = [
    (lambda text: message(type="input_text", text=text), "items[0].content[0].text", MEGABYTES),
    (lambda text: message(type="input_image", image_url=text), "items[0].content[0].image_url", 20_971_520),
    (lambda text: message(type="input_file", file_data=text), "items[0].content[0].file_data", 73_400_320),
    (lambda text: {"role": "user", "content": text}, "items[0].content[0].text", MEGABYTES),
    (lambda text: output(output=text), "items[0].output", MEGABYTES),
    (lambda text: output(output=[{"type": "input_text", "text": text}]), "items[0].output[0].text", MEGABYTES),
    (lambda text: output(call_id=text), "items[0].call_id", 64),
    (lambda text: output(name=text), "items[0].name", 128),
    (lambda text: output(namespace=text), "items[0].namespace", 64),
    (lambda text: output(caller={"type": "program", "caller_id": text}), "items[0].caller.caller_id", 64),
    (
        lambda text: {"type": "function_call", "call_id": text, "name": "f", "arguments": ""},
        "items[0].call_id",
        64,
    ),
    (lambda text: {"type": "compaction", "encrypted_content": text}, "items[0].encrypted_content", 20_971_520),
    (lambda text: operation("create_file", diff=text), "items[0].operation.diff", MEGABYTES),
    (lambda text: operation("update_file", diff=text), "items[0].operation.diff", MEGABYTES),
    (lambda text: operation("delete_file") | {"call_id": text}, "items[0].call_id", 64),
    (lambda text: patch_output(output=text), "items[0].output", MEGABYTES),
    (lambda text: patch_output(call_id=text), "items[0].call_id", 64),
    (lambda text: program(call_id=text), "items[0].call_id", 64),
    (lambda text: program(code=text), "items[0].code", MEGABYTES),
    (lambda text: program(fingerprint=text), "items[0].fingerprint", MEGABYTES),
    (lambda text: program_output(call_id=text), "items[0].call_id", 64),
    (lambda text: program_output(result=text), "items[0].result", MEGABYTES),
    (lambda text: shell(call_id=text), "items[0].call_id", 64),
    (lambda text: shell_output(call_id=text), "items[0].call_id", 64),
    (lambda text: shell_output(stdout=text), "items[0].output[0].stdout", MEGABYTES),
    (lambda text: shell_output(stderr=text), "items[0].output[0].stderr", MEGABYTES),
    (lambda text: {"type": "tool_search_call", "arguments": {}, "call_id": text}, "items[0].call_id", 64),
    (lambda text: {"type": "tool_search_output", "tools": [], "call_id": text}, "items[0].call_id", 64),
    (screenshot, "items[0].call_id", 64),
    (lambda text: search(a=text), "items[0].results[0].attributes.a", 512),
    (namespaced, f"{TOOL}.tools[0].name", 128),
    (secret, f"{TOOL}.environment.network_policy.domain_secrets[0].value", MEGABYTES),
    (
        lambda text: container(skills=[{"type": "skill_reference", "skill_id": text}]),
        f"{TOOL}.environment.skills[0].skill_id",
        64,
    ),
    (lambda text: skill(data=text), f"{TOOL}.environment.skills[0].source.data", 70_254_592),
]

LOCAL_SKILL = {"name": "a", "description": "", "path": "/a"}
REFERENCE = {"type": "skill_reference", "skill_id": "a"}
ARRAYS = [
    (lambda n: container(file_ids=["file-a"] * n), f"{TOOL}.environment.file_ids", 50),
    (lambda n: container(skills=[REFERENCE] * n), f"{TOOL}.environment.skills", 200),
    (
        lambda n: tool("code_interpreter", container={"type": "auto", "file_ids": ["file-a"] * n}),
        f"{TOOL}.container.file_ids",
        50,
    ),
    (
        lambda n: shell(environment={"type": "local", "skills": [LOCAL_SKILL] * n}),
        "items[0].environment.skills",
        200,
    ),
]


@pytest.mark.parametrize(("item_with", "path", "maximum"), STRINGS)
def test_string_longer_than_the_maximum_length_is_refused(item_with, path, maximum):
    validate_items([item_with("x" * maximum)])
    with pytest.raises(APIError) as raised:
        validate_items([item_with("x" * (maximum + 1))])
    assert raised.value.message == (
        f"Invalid '{path}': string too long. Expected a string with maximum length {maximum}, "
        f"but got a string with length {maximum + 1} instead."
    )
    assert (raised.value.param, raised.value.code) == (path, "string_above_max_length")


@pytest.mark.parametrize(("item_with", "path", "maximum"), ARRAYS)
def test_array_longer_than_the_maximum_length_is_refused(item_with, path, maximum):
    validate_items([item_with(maximum)])
    with pytest.raises(APIError) as raised:
        validate_items([item_with(maximum + 1)])
    assert raised.value.message == (
        f"Invalid '{path}': array too long. Expected an array with maximum length {maximum}, "
        f"but got an array with length {maximum + 1} instead."
    )
    assert (raised.value.param, raised.value.code) == (path, "array_above_max_length")


def test_twenty_items_are_valid():
    assert len(validate_items([{"role": "user", "content": "hi"}] * 20)) == 20


def test_sixteen_attributes_are_valid():
    item = search(**{f"a{n}": n for n in range(16)})
    assert validate_items([item]) == [item]


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (output(call_id=""), "items[0].call_id"),
        (output(namespace=""), "items[0].namespace"),
        (output(caller={"type": "program", "caller_id": ""}), "items[0].caller.caller_id"),
        (operation("delete_file", path=""), "items[0].operation.path"),
        (program(call_id=""), "items[0].call_id"),
        (shell_output(call_id=""), "items[0].call_id"),
        (screenshot(""), "items[0].call_id"),
        (namespaced(""), f"{TOOL}.tools[0].name"),
        (secret(""), f"{TOOL}.environment.network_policy.domain_secrets[0].value"),
        (skill(data=""), f"{TOOL}.environment.skills[0].source.data"),
    ],
)
def test_empty_identifiers_are_refused(item, path):
    with pytest.raises(APIError) as raised:
        validate_items([item])
    assert (raised.value.param, raised.value.code) == (path, "empty_string")


@pytest.mark.parametrize(("number", "is_valid"), [(-1, False), (0, True), (3, True), (4, False)])
def test_partial_images_must_be_between_0_and_3(number, is_valid):
    item = tool("image_generation", partial_images=number)
    if is_valid:
        assert validate_items([item])
    else:
        with pytest.raises(APIError, match=r"integer (below minimum|above maximum) value"):
            validate_items([item])
