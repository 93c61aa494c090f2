"""Model calls have the CORS headers, the lines of the request log and the metrics of other requests."""

import re
from collections.abc import Iterator

import httpx2
import pytest

from tests.live.database import ScratchDatabase
from tests.live.service import Service
from tests.responses.conftest import Stage
from tests.responses.fake_upstream import running_upstream
from tests.waiting import SECONDS, wait_until

ORIGIN = "https://chat.example"
TOKEN = "metrics-token"

parser = pytest.importorskip("prometheus_client.parser")


@pytest.fixture(scope="module")
def stage(tmp_path_factory, django_db_blocker) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("observed")
    database = ScratchDatabase(directory, django_db_blocker)
    database.create()
    with running_upstream() as upstream:
        variables = {
            "LOG_LEVEL": "INFO",
            "CORS_ALLOWED_ORIGINS": ORIGIN,
            "LOG_REQUESTS": "true",
            "METRICS_TOKEN": TOKEN,
        }
        variables |= {"CONVERSATIONS_UPSTREAM_URL": upstream.url, "CONVERSATIONS_UPSTREAM_OMITTED_TYPES": "compaction"}
        service = Service(database, directory, **variables)
        try:
            service.start()
            yield Stage(service, upstream)
        finally:
            service.kill()
            database.drop()


def send(stage, method, path, *, origin=ORIGIN, secret=None, **options):
    headers = {"authorization": f"Bearer {secret or stage.service.secret}", "origin": origin}
    headers |= options.pop("headers", {})
    return httpx2.request(method, f"{stage.base_url}{path}", headers=headers, timeout=SECONDS, **options)


def requests_of(stage):
    """Return how often a request with each method, route and status was answered, according to the metrics."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    text = httpx2.get(f"http://127.0.0.1:{stage.service.port}/metrics", headers=headers, timeout=SECONDS).text
    samples = [each for family in parser.text_string_to_metric_families(text) for each in family.samples]
    return {tuple(each.labels.values()): each.value for each in samples if each.name == "conversations_requests_total"}


CALLS = [
    pytest.param("POST", "/responses", {"model": "echo", "input": "one"}, 200, "/v1/responses", id="passed on"),
    pytest.param("POST", "/responses", {"model": "status-429", "input": "one"}, 429, "/v1/responses", id="error"),
    pytest.param("POST", "/responses", {"model": "echo", "stream": True}, 200, "/v1/responses", id="stream"),
    pytest.param("POST", "/responses", {"conversation": "conv_1"}, 404, "/v1/responses", id="refused"),
    pytest.param("GET", "/responses/resp_1", None, 200, "/v1/responses/<path:path>", id="below"),
    pytest.param("GET", "/models", None, 200, "/v1/models", id="models"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "route"), CALLS)
def test_model_call_is_readable_for_an_allowed_page_logged_and_counted(stage, method, path, body, status, route):
    before = requests_of(stage).get((method, route, str(status)), 0)
    answer = send(stage, method, path, json=body)
    assert answer.status_code == status
    assert answer.headers.get_list("access-control-allow-origin") == [ORIGIN]
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "origin"
    assert requests_of(stage)[method, route, str(status)] == before + 1
    key = stage.service.secret[:14]
    line = rf"project.requests: {method} {re.escape(route)} {status} in [0-9.]+ ms, key {key} "
    request_id = re.escape(answer.headers["x-request-id"])
    wait_until(lambda: re.search(rf"{line}\({request_id}\)", stage.service.stderr))


def test_turn_is_logged_and_counted_once(stage):
    with stage.client() as client:
        conversation = client.conversations.create()
        before = requests_of(stage).get(("POST", "/v1/responses", "200"), 0)
        client.responses.create(model="echo", conversation=conversation.id, input="one")
        assert requests_of(stage)["POST", "/v1/responses", "200"] == before + 1


def test_log_counts_the_items_that_are_left_out_of_a_history(stage):
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    compaction = {"type": "compaction", "id": "cmp_1", "encrypted_content": "secret"}
    items = [reasoning, {"role": "user", "content": "secret"}, compaction, {**reasoning, "id": "rs_2"}]
    with stage.client() as client:
        conversation, other = client.conversations.create(items=items), client.conversations.create(items=items[1:2])
        for each in (conversation, other):
            client.responses.create(model="echo", conversation=each.id, input="one")
        assert len(stage.upstream.requests[-1]["json"]["input"]) == 2
    line = f"Left items of {conversation.id} out of the history: 1 compaction, 2 reasoning"
    wait_until(lambda: line in stage.service.stderr)
    assert stage.service.stderr.count("out of the history") == 1
    assert "secret" not in stage.service.stderr


def test_refused_key_is_logged_without_the_secret(stage):
    answer = send(stage, "GET", "/models", secret="sk-conv-wrong")
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    line = f"GET /v1/models 401 in .* ms, key none .{answer.headers['x-request-id']}."
    wait_until(lambda: re.search(line, stage.service.stderr))
    assert "sk-conv-wrong" not in stage.service.stderr


@pytest.mark.parametrize(("method", "path"), [("POST", "/responses"), ("GET", "/models")])
def test_unknown_host_gets_the_error_of_the_main_port_and_one_line_of_the_log(stage, method, path):
    asked, host = len(stage.upstream.requests), f"evil{path.replace('/', '-')}.example.com"
    answer = send(stage, method, path, headers={"host": host})
    assert answer.status_code == 400
    message = f"This server does not answer requests for the host {host!r}. Add it to ALLOWED_HOSTS."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    assert answer.json()["error"] == error
    wait_until(lambda: f"({answer.headers['x-request-id']})" in stage.service.stderr)
    lines = [line for line in stage.service.stderr.splitlines() if host in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"Refused a request for the host {host!r}. To serve it, add it to ALLOWED_HOSTS.")
    assert len(stage.upstream.requests) == asked


@pytest.mark.parametrize("path", ["/responses", "/models"])
def test_browser_may_ask_before_it_calls_a_model(stage, path):
    asked = len(stage.upstream.requests)
    headers = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    answer = send(stage, "OPTIONS", path, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert len(stage.upstream.requests) == asked


def test_other_pages_may_not_read_the_answer_whatever_the_upstream_says(stage):
    answer = send(stage, "GET", "/models", origin="https://evil.example")
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
