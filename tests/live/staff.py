import re
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

from tests.live.service import Service
from tests.waiting import SECONDS


class Staff:
    """A browser session of the first superuser in a running service's admin."""

    def __init__(self, service: Service) -> None:
        self._url = f"http://127.0.0.1:{service.port}/admin/"
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get("login/"))[1]
        password = re.search(r"with the password (\S+)", service.stdout)[1]
        form = {"csrfmiddlewaretoken": token, "username": "admin", "password": password, "next": "/admin/"}
        self.front_page = self._read("login/", urlencode(form).encode())

    def get(self, path: str, **query: str) -> str:
        return self._read(f"{path}?{urlencode(query)}")

    def _read(self, path: str, data: bytes | None = None) -> str:
        with self._opener.open(self._url + path, data, timeout=SECONDS) as response:
            return str(response.read().decode())
