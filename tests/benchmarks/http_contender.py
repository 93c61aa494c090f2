"""A service that is measured over HTTP."""

import json
from typing import Any

from tests.benchmarks import wrk
from tests.benchmarks.contender import Contender, Run, expect
from tests.benchmarks.work import PAGE, Work, messages
from tests.benchmarks.wrk import Request
from tests.live.client import Client


class HTTPContender(Contender):
    stores_items_of_create = True
    port: int
    secret = ""

    def check(self, work: Work) -> None:
        client = Client(self.port, self.secret)

        def send(request: Request) -> Any:
            status, answer = client.send(request.method, request.path, request.body)
            expect(status == 200, f"{status} {answer}")
            return answer

        [first, *_], follow = self._requests(work)
        answer = send(first)
        conversation_id = self.group(work).ids[0] if work.size else answer["id"]
        if follow:
            send(Request(follow.method, follow.path % conversation_id, follow.body))
        match work.verb:
            case "create":
                _, page = client.get(f"/conversations/{conversation_id}/items?limit=100")
                stored = work.items if self.stores_items_of_create or follow else 0
                expect(len(page["data"]) == stored, f"{len(page['data'])} of {work.items} items are there")
            case "append":
                _, page = client.get(f"/conversations/{conversation_id}/items?limit={PAGE}&order=desc")
                newest, text = page["data"][: work.items], messages(work.items)[0]["content"]
                expect(all(text in json.dumps(item) for item in newest), "the newest items don't say what was sent")
            case "list" | "find":
                expect(len(answer["data"]) == PAGE, f"{len(answer['data'])} on the page")
            case "retrieve":
                expect(answer["id"] == conversation_id, answer)
        client.close()

    def run(self, work: Work, seconds: float) -> Run:
        if self.database:
            self.database.checkpoint()
        requests, follow = self._requests(work)
        with self.used() as use:
            timing = wrk.run(self.port, requests, follow=follow, secret=self.secret, seconds=seconds)
        self.grew(work, timing.requests)
        return Run.of(timing, use)

    def _requests(self, work: Work) -> tuple[list[Request], Request | None]:
        """Those that are sent in turn, and what follows each: on a create that drops its items, the append of them."""
        if work.verb == "create" and work.items > 1 and not self.stores_items_of_create:
            return [Work("", "create").request()], Work("", "append", items=work.items).request("%s")
        ids = self.group(work).ids if work.size else [""]
        return [work.request(each) for each in ids], None
