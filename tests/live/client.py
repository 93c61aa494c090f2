import http.client
import json
from typing import Any


class Client:
    """API client with one keep-alive connection. It never retries, and needs no Django."""

    def __init__(self, port: int, secret: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self.answer_headers = http.client.HTTPMessage()  # those of the last answer

    def get(self, path: str) -> tuple[int, Any]:
        return self.send("GET", path)

    def post(self, path: str, **body: Any) -> tuple[int, Any]:
        return self.send("POST", path, json.dumps(body))

    def delete(self, path: str) -> tuple[int, Any]:
        return self.send("DELETE", path)

    def send(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        self._connection.request(method, f"/v1{path}", body, self.headers)
        response = self._connection.getresponse()
        self.answer_headers = response.headers
        return response.status, json.loads(response.read())

    def close(self) -> None:
        self._connection.close()


def user_message(text: str) -> dict[str, str]:
    return {"type": "message", "role": "user", "content": text}
