"""A service that is measured over HTTP."""

from tests.benchmarks import machine, wrk
from tests.benchmarks.contender import Contender, Run, expect
from tests.benchmarks.work import PAGE, Work
from tests.live.client import Client


class HTTPContender(Contender):
    stores_items_of_create = True
    port: int
    secret = ""

    def check(self, work: Work) -> None:
        requests = self._requests(work)
        client = Client(self.port, self.secret)
        status, answer = client.send(requests.method, requests.paths[0], requests.body)
        expect(status == 200, f"{status} {answer}")
        conversation_id = self.group(work).ids[0] if work.size else answer["id"]
        if requests.follow:
            path, body = requests.follow
            status, added = client.send("POST", path % conversation_id, body)
            expect(status == 200, f"{status} {added}")
        match work.verb:
            case "create":
                _, page = client.get(f"/conversations/{conversation_id}/items?limit=100")
                stored = work.items if self.stores_items_of_create or requests.follow else 0
                expect(len(page["data"]) == stored, f"{len(page['data'])} of {work.items} items are there")
            case "append":
                _, page = client.get(f"/conversations/{conversation_id}/items?limit={PAGE}&order=desc")
                added, newest = ([item["id"] for item in each["data"]] for each in (answer, page))
                expect(len(added) == work.items, f"{len(added)} of {work.items} items were added")
                expect(set(added) <= set(newest), "the newest items are not those that were added")
            case "list" | "find":
                expect(len(answer["data"]) == PAGE, f"{len(answer['data'])} on the page")
            case "retrieve":
                expect(answer["id"] == conversation_id, answer)
        client.close()

    def run(self, work: Work, seconds: float) -> Run:
        if self.database:
            self.database.checkpoint()
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        with machine.used_by(self.session) as use:
            timing = wrk.run(self.port, self._requests(work), headers=headers, seconds=seconds)
        self.grew(work, timing.requests)
        return Run.of(timing, use)

    def _requests(self, work: Work) -> wrk.Requests:
        method = "POST" if work.writes else "GET"
        if work.verb == "create" and work.items > 1 and not self.stores_items_of_create:
            empty, append = Work("", "create"), Work("", "append", items=work.items)
            return wrk.Requests(method, [empty.path()], empty.body, follow=(append.path("%s"), append.body))
        ids = self.group(work).ids if work.size else [""]
        return wrk.Requests(method, [work.path(each) for each in ids], work.body)
