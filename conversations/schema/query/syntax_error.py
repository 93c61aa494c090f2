from conversations.errors import APIError


class QuerySyntaxError(APIError):
    """The error for a text that is not in the query language. `position` counts characters from 1."""

    def __init__(self, *, expected: str, position: int, got: str, is_incomplete: bool = False) -> None:
        super().__init__(
            f"Invalid 'query': expected {expected} at position {position}, but got {got}.",
            param="query",
            code="invalid_query",
        )
        self.position = position
        self.is_incomplete = is_incomplete  # Something is missing at the end of the text.
