"""Send bodies in chunks to the project under an ASGI server. A test runs this in a process of its own."""

import threading
from collections.abc import Iterator

import django

django.setup()

import httpx2
import uvicorn
from django.core.asgi import get_asgi_application
from django.core.management import call_command

from conversations.models import APIKey
from tests.host.people.models import Person
from tests.live.service import free_port
from tests.waiting import SECONDS, wait_until

call_command("migrate", run_syncdb=True, verbosity=0)
_, secret = APIKey.create(user=Person.objects.create(email="ann@example.com"))
config = uvicorn.Config(get_asgi_application(), port=free_port(), lifespan="off", ws="none", log_level="warning")
server = uvicorn.Server(config)
thread = threading.Thread(target=server.run, daemon=True)
thread.start()
wait_until(lambda: server.started)
base_url = f"http://127.0.0.1:{config.port}/ai/openai/v1/"
headers = {"authorization": f"Bearer {secret}", "content-type": "application/json", "host": "testserver"}


def chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 7):
        yield body[start : start + 7]


ITEMS = b'{"items": [{"role": "user", "content": "Hello!", "id": "msg_%d"}]}'
with httpx2.Client(base_url=base_url, headers=headers, timeout=SECONDS) as client:
    created = client.post("conversations", content=chunks(ITEMS % 1))
    assert created.request.headers["transfer-encoding"] == "chunked"
    assert created.status_code == 200, created.text
    path = f"conversations/{created.json()['id']}"
    for url, body in (
        (f"{path}/items", ITEMS % 2),
        (path, b'{"metadata": {"topic": "demo"}}'),
        (f"{path}/fork", b'{"after": "msg_1"}'),
        (f"{path}/rewind", b'{"after": "msg_1"}'),
    ):
        response = client.post(url, content=chunks(body))
        assert response.status_code == 200, (url, response.text)
    assert client.get(path).json()["metadata"] == {"topic": "demo"}
    assert [item["id"] for item in client.get(f"{path}/items").json()["data"]] == ["msg_1"]
server.should_exit = True
thread.join()
