"""Contiguous ranges of the metadata index, and the SQL that reads conversation ids from one of them."""

from __future__ import annotations

from dataclasses import dataclass

from conversations.db.prepared_cursor import SQL
from conversations.search.row_predicates import ID, ROW


@dataclass(frozen=True)
class KeysetWindow:
    """Ids in the half-open interval (after, end], in scan direction; None means unbounded on that side."""

    is_ascending: bool
    after: str | None = None
    end: str | None = None

    @property
    def order(self) -> str:
        return "ASC" if self.is_ascending else "DESC"

    def after_clause(self, expression: str) -> SQL:
        """Return " AND …", or nothing if the window has no start."""
        return _comparison(expression, ">" if self.is_ascending else "<", self.after)

    def end_clause(self, expression: str) -> SQL:
        return _comparison(expression, "<=" if self.is_ascending else ">=", self.end)


@dataclass(frozen=True)
class IndexRange:
    """Rows that are adjacent in a metadata index: those of one key, or of one key with one or several values.

    The rows of one key, or of one key and one value, are in the order of conversation ids (`is_ordered`). The rows of
    several values are in the order of the values.
    """

    pairs: SQL  # SELECT of the rows, ending with a condition so that " AND …" can follow
    predicate: SQL  # whether the conversation of a row matches the whole query
    is_ordered: bool = True

    def ids_sql(self, max_rows: int | None, window: KeysetWindow) -> SQL:
        """Return a statement for the ids in the next `max_rows` rows of the window, or in all if None."""
        pairs, parameters = self._next_pairs(max_rows, window)
        return f"SELECT {ID} FROM ({pairs}) AS {ROW}", parameters  # noqa: S608

    def matches_sql(self, limit: int, max_rows: int | None, window: KeysetWindow) -> SQL:
        """Return a statement for up to `limit` matching ids among the next `max_rows` rows, or all if None.

        The rows come from a subquery with a limit of its own, so that a database can't decide to read them by another
        index that it believes to be shorter.
        """
        pairs, parameters = self._next_pairs(max_rows, window)
        (predicate, values), (end_clause, end) = self.predicate, window.end_clause(ID)
        return (
            f"SELECT {ID} FROM ({pairs}) AS {ROW} WHERE {predicate}{end_clause}"  # noqa: S608
            f" ORDER BY {ID} {window.order} LIMIT {limit}",
            (*parameters, *values, *end),
        )

    def _next_pairs(self, max_rows: int | None, window: KeysetWindow) -> SQL:
        # An expression instead of the column keeps a database from reading unordered rows by the index that is in the
        # order of ids.
        id_expression = ID if self.is_ordered else f"SUBSTR({ID}, 1)"
        (sql, parameters), (after_clause, after) = self.pairs, window.after_clause(id_expression)
        order = f"{ID} {window.order}" if self.is_ordered else "value"
        limit = "" if max_rows is None else f" ORDER BY {order} LIMIT {max_rows}"
        return f"{sql}{after_clause}{limit}", (*parameters, *after)


def _comparison(expression: str, operator: str, conversation_id: str | None) -> SQL:
    return ("", ()) if conversation_id is None else (f" AND {expression} {operator} %s", (conversation_id,))
