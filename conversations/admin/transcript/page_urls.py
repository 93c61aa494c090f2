from __future__ import annotations

from django.http import QueryDict

POSITION_PARAMETERS = ("after", "before", "item")
FIND_PARAMETER = "find"  # the text of the search in the transcript
TOGGLED_PARAMETER = "raw"  # ids of the items that are switched between rendered and raw


class PageURLs:
    """URLs of a transcript, relative to its page, which keep the other query parameters."""

    def __init__(self, parameters: QueryDict) -> None:
        self._parameters = parameters

    def page(self, **position: int) -> str:
        """Return the URL of the page after or before a position, or of the first one."""
        query = self._without(*POSITION_PARAMETERS, TOGGLED_PARAMETER)
        query.update({name: str(value) for name, value in position.items()})
        return f"?{query.urlencode()}#transcript"

    def current_page(self, **parameters: str) -> str:
        """Return the URL of the current page, shown in another way. An empty value removes the parameter."""
        query = self._without(TOGGLED_PARAMETER)
        for name, value in parameters.items():
            query[name] = value
            if not value:
                del query[name]
        return f"?{query.urlencode()}#transcript"

    def item(self, item_id: str) -> str:
        """Return a link to an item that shows the same to everyone: without the reader's own preferences."""
        query = self._without(*POSITION_PARAMETERS, TOGGLED_PARAMETER, "view", "show")
        query["item"] = item_id
        return f"?{query.urlencode()}#item_{item_id}"

    def toggled_item(self, item_id: str) -> str:
        """Return the URL of the current page with one item switched between rendered and raw."""
        query = self._without()
        toggled = set(query.getlist(TOGGLED_PARAMETER)) ^ {item_id}
        query.setlist(TOGGLED_PARAMETER, sorted(toggled))
        return f"?{query.urlencode()}#item_{item_id}"

    def other_parameters(self, *names: str) -> list[tuple[str, str]]:
        """Return the parameters that a form for a position, or for these parameters, keeps."""
        query = self._without(*POSITION_PARAMETERS, TOGGLED_PARAMETER, *names)
        return [(name, str(value)) for name, values in query.lists() for value in values]

    def _without(self, *names: str) -> QueryDict:
        query = self._parameters.copy()
        for name in names:
            query.pop(name, None)
        return query
