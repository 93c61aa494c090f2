import re

import pytest
from django.http import QueryDict
from django.urls import reverse

from conversations.admin.transcript.page import Transcript
from conversations.admin.transcript.problems import Problems
from conversations.models import Conversation
from conversations.schema.items import ITEM_TYPES
from tests.schema.test_item_failures import FAILING


class ShortPages(Transcript):
    items_per_page = 2


def create_conversation(owner, *items: dict) -> Conversation:
    items = [{"id": f"x_{position}", **item} for position, item in enumerate(items, 1)]
    return Conversation.objects.create_with_items(owner=owner, items=items, validate=False)


def open_page(conversation, query: str = "", transcript_class=ShortPages) -> Transcript:
    return transcript_class(conversation, items=conversation.items.all(), parameters=QueryDict(query))


def page(client, conversation) -> str:
    return client.get(reverse("admin:conversations_conversation_change", args=[conversation.pk])).content.decode()


def call(call_id: str = "c", type: str = "function_call") -> dict:
    return {"type": type, "call_id": call_id, "name": "lookup", "arguments": "{}"}


def output(call_id: str = "c", output: str = "fine") -> dict:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


TEXT = {"type": "message", "role": "user", "content": "Error: failed"}


def test_every_failing_item_has_a_red_mark_and_counts(admin_client, alice):
    items = [item for item, _reason in FAILING]
    conversation = create_conversation(alice, *items)
    problems = open_page(conversation).problems
    assert [problem.position for problem in problems.failed] == list(range(1, len(items) + 1))
    assert problems.is_complete
    whole_page = open_page(conversation, transcript_class=Transcript)
    for item in whole_page.items:
        assert item.problem, item.data
        assert item.problem != "No output recorded for this call"
    html = page(admin_client, conversation)
    assert f"✕ {len(items)} failed</a>" in html
    articles = html.split('<article class="conversations-item')[1:]
    names = {re.search(r'<span class="conversations-mark">✕ ([^<]*)</span>', article)[1] for article in articles}
    assert len(articles) == sum(len(entry.boxes) for entry in whole_page.entries)
    assert names == {"Failed", "Incomplete", "Error", "Exit code 2", "Timed out", "Refused"}


@pytest.mark.parametrize("item_type", [name for name, item_type in ITEM_TYPES.items() if item_type.output_type])
def test_call_of_each_type_without_output_has_a_red_mark(admin_client, alice, item_type):
    html = page(admin_client, create_conversation(alice, call(type=item_type)))
    assert '<span class="conversations-mark">✕ No output recorded for this call</span>' in html
    assert "✕ 1 unanswered</a>" in html


def test_problems_of_other_pages_count_and_are_linked(admin_client, alice):
    error = output("b", '{"error": 1}')
    conversation = create_conversation(alice, TEXT, call("a"), TEXT, call("b"), TEXT, error, TEXT)
    problems = open_page(conversation).problems
    assert (problems.failed_text, problems.unanswered_text) == ("1 failed", "1 unanswered")
    assert [(problem.position, problem.name, problem.url) for problem in problems.listed] == [
        (2, "No output", "?item=x_2#item_x_2"),
        (6, "Error", "?item=x_6#item_x_6"),
    ]
    html = page(admin_client, conversation)
    assert '<a href="?item=x_6#item_x_6">✕ 1 failed</a>' in html
    assert '<a href="?item=x_2#item_x_2">✕ 1 unanswered</a>' in html


def test_page_says_how_many_problems_are_listed(admin_client, alice):
    calls = [call(f"call_{number}") for number in range(Problems.max_listed)]
    note = "Only the first 200 problems are listed."
    assert note not in page(admin_client, create_conversation(alice, *calls))
    assert note in page(admin_client, create_conversation(alice, *calls, call("another")))


def test_conversation_without_problems_has_no_line_about_them(admin_client, alice):
    html = page(admin_client, create_conversation(alice, TEXT, call(), output()))
    assert "data-problems" not in html
    assert "conversations-mark" not in html


def test_failed_output_is_marked_in_the_header_of_its_call(alice):
    [box, _output] = open_page(create_conversation(alice, call(), output("c", '{"error": 1}'))).items
    assert (box.problem, box.problems) == ("", ["Error"])


def unanswered(owner, *items: dict) -> list[int]:
    return [call.position for call in create_conversation(owner, *items).items.unanswered_calls()]


def test_unanswered_calls_are_those_that_the_pages_mark(alice):
    shell, shell_output = call(type="local_shell_call"), {"type": "local_shell_call_output", "output": "ok"}
    assert unanswered(alice, output("b"), call("a"), TEXT, call("b"), output("a")) == []
    assert unanswered(alice, call(), call(), output()) == [1]
    assert unanswered(alice, call(), output(), call()) == [3]
    assert unanswered(alice, call(""), output("")) == [1]
    assert unanswered(alice, shell, shell_output) == []
    assert unanswered(alice, shell, TEXT, shell_output) == [1]
    assert unanswered(alice, {"type": "tool_search_call", "call_id": None}) == []
    assert unanswered(alice, {"type": "mcp_approval_request", "id": "mcpr_1"}) == [1]


def test_reading_failures_stops_at_the_limit_and_says_so(admin_client, alice):
    conversation = create_conversation(alice, *[output(str(n), '{"error": "' + "x" * 100 + '"}') for n in range(10)])
    failures, is_complete = conversation.items.failures(max_characters=500)
    assert 0 < len(failures) < 10
    assert not is_complete

    class Limited(Transcript):
        max_loaded_characters = 500

    assert open_page(conversation, transcript_class=Limited).problems.failed_text.startswith("at least ")


def test_parallel_calls_share_an_entry_and_sequential_calls_do_not(admin_client, alice):
    parallel = create_conversation(alice, call("a"), call("b"), output("b"), output("a"), TEXT)
    entries = open_page(parallel, transcript_class=Transcript).entries
    assert [[box.position for box in entry.boxes] for entry in entries] == [[1, 2], [5]]
    assert "2 parallel calls" in page(admin_client, parallel)
    sequential = create_conversation(alice, call("a"), output("a"), call("b"), output("b"))
    entries = open_page(sequential, transcript_class=Transcript).entries
    assert [[box.position for box in entry.boxes] for entry in entries] == [[1], [3]]
    assert "parallel" not in page(admin_client, sequential)


def test_box_of_a_call_has_name_arguments_and_output_in_this_order_and_one_header(admin_client, alice):
    conversation = create_conversation(alice, {**call(), "arguments": '{"city": "Basel"}'}, output("c", "rainy"))
    html = page(admin_client, conversation)
    assert html.count("<article") == html.count("<h3 id=") == 1
    places = [html.index(text) for text in ("<code>lookup</code>", "Basel", "rainy", "</article>")]
    assert places == sorted(places)
    for name in ("Link to item 2", "Raw view of item 2", "Download item 2", 'data-copy="x_2"'):
        assert name in html
