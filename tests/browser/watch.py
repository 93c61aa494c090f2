"""Records requests, dialogs, errors and policy violations of a page."""

from dataclasses import dataclass, field

from playwright.sync_api import Page

REPORT = "addEventListener('securitypolicyviolation', e => console.error('VIOLATION ' + e.violatedDirective))"


@dataclass
class Watch:
    """Recorder for one page. Create it before the page is opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(REPORT)
        self.page.context.on("request", lambda request: self.requests.append(request.url))
        self.page.context.on("page", lambda page: self.problems.append(f"opened {page.url}"))
        self.page.on("console", self._record_console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.problems.append(dialog.message), dialog.dismiss()))

    def _record_console(self, message) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def foreign_requests(self, own: str) -> list[str]:
        return [url for url in self.requests if not url.startswith((own, "data:"))]
