"""Ranges of the metadata index, and the SQL that reads a stretch of one in the order of a page."""

from __future__ import annotations

from dataclasses import dataclass

from conversations.db.prepared_cursor import SQL
from conversations.search.row_predicates import ID, ROW


@dataclass(frozen=True)
class KeysetWindow:
    """What lies beyond `after`, up to and with `end`; for None, from the beginning and to the end of all."""

    is_ascending: bool
    after: str | None = None
    end: str | None = None

    @property
    def order(self) -> str:
        return "ASC" if self.is_ascending else "DESC"

    def beyond(self, name: str) -> SQL:
        return _comparison(name, ">" if self.is_ascending else "<", self.after)

    def up_to(self, name: str) -> SQL:
        return _comparison(name, "<=" if self.is_ascending else ">=", self.end)


@dataclass(frozen=True)
class IndexRange:
    """Pairs that an index has side by side: of one key and perhaps of one value, and then in the order of their ids.

    Of more values than one they may be in the order of these.
    """

    pairs: SQL  # that selects them, and ends with a condition
    conditions: SQL  # that tell of each whether its conversation matches
    is_ordered: bool = True

    def ids(self, window: int | None, keyset: KeysetWindow) -> SQL:
        pairs, parameters = self._pairs_beyond(window, keyset)
        return f"SELECT {ID} FROM ({pairs}) AS {ROW}", parameters  # noqa: S608

    def matching(self, limit: int, window: int | None, keyset: KeysetWindow) -> SQL:
        """The ids of conversations that match, of the next `window` rows if it is not None.

        The window is a query of its own, or else a database might read it by an index which it thinks shorter.
        """
        pairs, parameters = self._pairs_beyond(window, keyset)
        (conditions, values), (up_to, end) = self.conditions, keyset.up_to(ID)
        return (
            f"SELECT {ID} FROM ({pairs}) AS {ROW} WHERE {conditions}{up_to}"  # noqa: S608
            f" ORDER BY {ID} {keyset.order} LIMIT {limit}",
            (*parameters, *values, *end),
        )

    def _pairs_beyond(self, window: int | None, keyset: KeysetWindow) -> SQL:
        # An expression, so that rows in the order of their values are not read by an index of the other order.
        (sql, parameters), (beyond, after) = self.pairs, keyset.beyond(ID if self.is_ordered else f"SUBSTR({ID}, 1)")
        order = f"{ID} {keyset.order}" if self.is_ordered else "value"
        limit = "" if window is None else f" ORDER BY {order} LIMIT {window}"
        return f"{sql}{beyond}{limit}", (*parameters, *after)


def _comparison(name: str, operator: str, place: str | None) -> SQL:
    return ("", ()) if place is None else (f" AND {name} {operator} %s", (place,))
