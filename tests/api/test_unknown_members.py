import pytest

HELLO = {"type": "message", "role": "user", "content": "Hello!"}
NEWER = {**HELLO, "sentiment": {"score": 1}, "content": [{"type": "input_text", "text": "Hello!", "lang": "en"}]}


def test_unknown_item_members_are_stored_and_returned(as_alice):
    [item] = as_alice.items(as_alice.new_conversation(NEWER))
    assert (item["sentiment"], item["content"][0]["lang"]) == ({"score": 1}, "en")


@pytest.mark.parametrize(
    ("item", "path", "hint"),
    [
        ({**HELLO, "sentiment": 1}, "items[0].sentiment", ""),
        ({**HELLO, "statuss": 1}, "items[0].statuss", " Did you mean 'status'?"),
        (
            {"role": "user", "content": [{"type": "input_image", "image_ur": "x"}]},
            "items[0].content[0].image_ur",
            " Did you mean 'image_url'?",
        ),
        (
            {"role": "user", "content": [{"type": "input_file", "file_i": "x"}]},
            "items[0].content[0].file_i",
            " Did you mean 'file_id'?",
        ),
        (
            {"role": "user", "content": [{"type": "input_file", "file_ur": "x"}]},
            "items[0].content[0].file_ur",
            " Did you mean 'file_url' or 'file_id'?",
        ),
    ],
)
def test_unknown_item_members_are_refused_if_rejection_is_enabled(as_alice, settings, assert_error, item, path, hint):
    settings.CONVERSATIONS_UNKNOWN_ITEM_FIELDS = "reject"
    response = as_alice.post("/conversations", {"items": [item]})
    assert_error(response, 400, f"Unknown parameter: '{path}'.{hint}", param=path, code="unknown_parameter")


def test_extra_item_type_is_stored_unchanged(as_alice, settings):
    item = {"type": "telepathy", "thought": ["x", {"y": None}], "content": 7}
    assert as_alice.post("/conversations", {"items": [item]}).status_code == 400
    settings.CONVERSATIONS_EXTRA_ITEM_TYPES = ["telepathy"]
    [stored] = as_alice.items(as_alice.new_conversation(item))
    assert stored == {**item, "id": stored["id"]}
    assert stored["id"].startswith("item_")
