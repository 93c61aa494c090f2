"""The log of a service that logs every request, in which planted secrets and content are looked for."""

import http.client
import json
import re

import pytest

from tests.live.service import Service

PLANTED = "planted-7f3a"  # in everything that must not be logged


@pytest.fixture(params=["json", "plain"])
def logging_service(request, database, tmp_path):
    service = Service(database, tmp_path, LOG_FORMAT=request.param, LOG_REQUESTS="true", LOG_LEVEL="INFO")
    yield service
    service.kill()


def test_log_has_one_line_per_request_and_no_content_metadata_or_secret(logging_service):
    service = logging_service
    service.start()
    link = http.client.HTTPConnection("127.0.0.1", service.port, timeout=300)
    ids = []

    def send(method, path, body=None, **headers):
        text = json.dumps(body) if body is not None else None
        link.request(method, path, text, {"Cookie": f"sessionid={PLANTED}", "X-Any": PLANTED, **headers})
        response = link.getresponse()
        ids.append(response.getheader("x-request-id"))
        return json.loads(response.read())

    key = {"Authorization": f"Bearer {service.secret}", "Content-Type": "application/json", "Idempotency-Key": PLANTED}
    item = {"type": "message", "role": "user", "content": PLANTED}
    conversation = send("POST", "/v1/conversations", {"metadata": {"name": PLANTED}, "items": [item]}, **key)
    path = f"/v1/conversations/{conversation['id']}"
    items = send("POST", f"{path}/items", {"items": [item]}, **(key | {"Idempotency-Key": f"{PLANTED}-2"}))
    assert items["data"][0]["content"][0]["text"] == PLANTED
    send("GET", f"{path}/items?after={PLANTED}", **key)
    send("GET", f"/v1/conversations?metadata[name]={PLANTED}", **key)
    send("POST", path, {"metadata": {"name": [PLANTED]}}, **key)
    send("POST", f"{path}/items", {"items": [{"type": PLANTED, PLANTED: PLANTED}]}, **key)
    send("GET", path, Authorization=f"Bearer sk-conv-{PLANTED}")
    send("GET", path, **{"api-key": PLANTED})
    send("GET", path, Host=f"{PLANTED[:-4]}.example")
    link.close()
    service.interrupt()
    assert service.wait() == 0
    log = service.stderr
    lines = [line for line in log.splitlines() if "project.requests" in line]
    logged = [re.findall("req_[0-9a-f]{32}", line)[0] for line in lines]
    assert [each for each in logged if each in ids] == ids
    assert PLANTED not in log
    assert service.secret not in log
    [first] = [line for line in lines if ids[0] in line]
    assert service.secret[:14] in first
    if service.variables["LOG_FORMAT"] == "json":
        assert all(isinstance(json.loads(line), dict) for line in log.splitlines())
        assert {"key", "method", "ms", "request_id", "route", "status"} < json.loads(first).keys()
    else:
        assert re.search(r"POST /v1/conversations 200 in [\d.]+ ms, key sk-conv-.{6} \(req_", first)
