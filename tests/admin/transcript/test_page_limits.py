"""Pages of long messages, many parts and much Markdown show the beginning of each."""

from conversations.admin.transcript.blocks import MAX_BLOCKS, first_blocks, flatten
from conversations.admin.transcript.page import Transcript
from conversations.admin.transcript.page_rendering import MIN_BLOCK_CHARACTERS, MIN_ITEM_BLOCKS
from conversations.admin.transcript.render_tools import as_tools
from conversations.models import Conversation
from conversations.rendering.markdown import MAX_HTML_CHARACTERS
from conversations.schema.items import validate_items
from tests.admin.transcript.pages import open_page, positions, url


def test_page_of_long_messages_shows_the_start_of_each(alice):
    text = "**word** " * 16_000
    items = validate_items([{"role": "user", "content": text}] * 20)
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)
    parts = [item.blocks[0] for item in open_page(conversation, transcript_class=Transcript).items]
    assert sum(len(part.html) for part in parts if part.html) <= MAX_HTML_CHARACTERS
    assert parts[0].html
    assert parts[-1].html is None
    assert parts[-1].is_truncated
    assert len(parts[-1].text) == MIN_BLOCK_CHARACTERS
    assert sum(part.size for part in parts) < 2_200_000


def test_messages_beyond_the_limit_of_formatting_are_plain_text_with_a_note(admin_client, alice):
    items = validate_items([{"role": "user", "content": "> " * 40 + "*a*\n" + "b\n" * 10_000}] * 15)
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)
    html = admin_client.get(url(conversation)).content.decode()
    formatted, plain = html.count("<em>a</em>"), html.count("&gt; *a*\nb")
    notes = html.count("Shown as plain text because formatting it would take too long.")
    assert formatted + plain == 15
    assert 0 < plain == notes < 15
    assert formatted * 10_000 * len("b<br>\n") <= MAX_HTML_CHARACTERS


def test_page_of_messages_with_many_parts_shows_the_first_of_each(admin_client, alice):
    parts = [{"type": "input_text", "text": "a"}] * (MAX_BLOCKS - 5)
    items = validate_items([{"role": "user", "content": parts}] * 3)
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)
    counts = [len(item.blocks) for item in open_page(conversation, transcript_class=Transcript).items]
    assert counts == [len(parts), MIN_ITEM_BLOCKS, MIN_ITEM_BLOCKS]
    html = admin_client.get(url(conversation)).content.decode()
    assert html.count("Only the beginning of this item is shown.") == 2


def test_blocks_inside_others_count_towards_the_limit():
    tool = {"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": True}
    group = {"type": "namespace", "name": "n", "tools": [tool] * 5}
    blocks = as_tools("Tool", [group, group])
    assert len(list(flatten(first_blocks(blocks, 7)))) == 7


def test_page_of_very_long_items_holds_fewer_items(alice):
    class SmallPages(Transcript):
        max_loaded_characters = 30_000

    items = validate_items([{"role": "user", "content": "x" * 10_000}] * 6)
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)
    first = open_page(conversation, transcript_class=SmallPages)
    assert positions(first) == [1, 2]
    assert first.has_later
