import pytest

from tests.live.replica import wait_for_replay
from tests.transfer.import_lines import CONVERSATION, ID, import_from_lines

IMAGE = {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}]}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "secret"}
BOTH = ["message.input_image.image_url", "reasoning.encrypted_content"]


@pytest.fixture
def path(as_alice):
    return f"/conversations/{as_alice.new_conversation(IMAGE, REASONING)}/items?order=asc"


def revealed_members(response):
    image, reasoning = response.json()["data"]
    return [
        *(["image"] if image["content"][0]["image_url"] else []),
        *(["reasoning"] if "encrypted_content" in reasoning else []),
    ]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", []),
        ("&include[]=reasoning.encrypted_content", ["reasoning"]),
        (f"&include[]={BOTH[0]}&include[]={BOTH[1]}", ["image", "reasoning"]),
        (f"&include%5B%5D={BOTH[0]}&include%5B%5D={BOTH[1]}", ["image", "reasoning"]),
        (f"&include={BOTH[0]}&include={BOTH[1]}", ["image", "reasoning"]),
        (f"&include[0]={BOTH[0]}&include[1]={BOTH[1]}", ["image", "reasoning"]),
        (f"&include%5B0%5D={BOTH[1]}", ["reasoning"]),
    ],
)
def test_include_parameter_accepts_every_spelling(as_alice, path, query, shown):
    assert revealed_members(as_alice.get(path + query)) == shown


def test_default_include_setting_reveals_members(as_alice, path, settings):
    settings.CONVERSATIONS_DEFAULT_INCLUDE = ["message.input_image.image_url"]
    assert revealed_members(as_alice.get(path)) == ["image"]
    assert revealed_members(as_alice.get(f"{path}&include[]=reasoning.encrypted_content")) == ["image", "reasoning"]


def test_imported_message_without_content_is_returned(as_alice):
    import_from_lines(*CONVERSATION)
    wait_for_replay()
    assert as_alice.items(ID) == [{"id": "msg_2", "type": "message"}, {"id": "msg_4", "type": "message"}]
    assert as_alice.get(f"/conversations/{ID}/items/msg_2").json() == {"id": "msg_2", "type": "message"}
