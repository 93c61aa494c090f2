"""Full-text index of words: a look-up, estimates and maintenance, for each database engine that has one.

The engines neither parse nor stem text and drop no stop words: the column holds words that Python has split. An engine
only finds the rows that contain all words of a phrase, in any order.

- PostgreSQL: a `tsvector` made of the words as they are, with a GIN index.
- SQLite: an FTS5 table over the rows of the model, maintained by triggers, that splits words at spaces only.
- MariaDB and MySQL: a FULLTEXT index of words encoded in ASCII with a letter prefix, so that no word is too short, too
  long, a stop word, or contains characters that InnoDB does not index. It finds committed rows only.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Lookup, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from conversations.db.batching import AdaptiveBatch
from conversations.db.fields import encode_word

VENDORS = ("postgresql", "sqlite", "mysql")
MAX_MERGED_PAGES = 1_000  # pages of SQLite's index that one transaction merges


class HasWords(Lookup):
    """Whether a row contains all of these words, in any order, according to the engine's index."""

    prepare_rhs = False
    rhs: tuple[str, ...]

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        words, _ = self.process_lhs(compiler, connection)
        query = " & ".join(f"'{word}'" for word in self.rhs)  # Words contain no punctuation, so none is escaped.
        return f"conversations_words({words}) @@ %s::tsquery", [query]

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        row, index = f"{connection.ops.quote_name(self.lhs.alias)}.rowid", "conversations_itemtext_words"
        query = " ".join(f'"{word}"' for word in self.rhs)
        return f"{row} IN (SELECT rowid FROM {index} WHERE {index} MATCH %s)", [query]  # noqa: S608

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        words, _ = self.process_lhs(compiler, connection)
        return f"MATCH ({words}) AGAINST (%s IN BOOLEAN MODE)", [" ".join(f"+{encode_word(word)}" for word in self.rhs)]


def has_word_index(*, using: str) -> bool:
    """Whether the engine of this database has a full-text index of words."""
    return connections[using].vendor in VENDORS


def has_row_estimates(*, using: str) -> bool:
    """Whether `estimate_rows` has statistics to ask: only PostgreSQL has them for a full-text index."""
    return connections[using].vendor == "postgresql"


def estimate_rows(rows: QuerySet[Any]) -> int:
    """Return the number of rows that PostgreSQL's query planner expects, without reading any."""
    estimate = re.search(r"\brows=(\d+)", rows.explain())
    return int(estimate[1]) if estimate else 0


def purge_deleted_words(*, using: str) -> None:
    """Remove the words of deleted rows from SQLite's index, which keeps them until its pages are merged.

    This is FTS5's `optimize` in short transactions, so that other connections can write in between. The indexes of
    other engines keep such words until `rebuild`; searches find nothing by them.
    """
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    # A negative number starts a merge of the whole index; positive ones continue it.
    batch, sign, changes = AdaptiveBatch(using=using, max_rows=MAX_MERGED_PAGES), -1, 2
    with connection.cursor() as cursor:
        while changes >= 2:  # FTS5 counts fewer than two changes if there was nothing left to merge.
            before = connection.connection.total_changes
            with batch.transaction():
                cursor.execute(
                    "INSERT INTO conversations_itemtext_words(conversations_itemtext_words, rank) VALUES ('merge', %s)",
                    [sign * batch.rows],
                )
            changes, sign = connection.connection.total_changes - before, 1


def keeps_deleted_words(*, using: str) -> bool:
    """Whether the index keeps words of deleted rows until it is rebuilt.

    A GIN index of PostgreSQL never removes the keys of its entry tree, and InnoDB keeps the words in the auxiliary
    tables of a FULLTEXT index.
    """
    return connections[using].vendor in ("postgresql", "mysql")


def rebuild(*, using: str) -> None:
    """Rebuild the index, so that it has no words of deleted rows. Call this outside of a transaction.

    PostgreSQL waits for older transactions, and blocks nobody. MariaDB and MySQL copy the table of words, to which
    nobody can write meanwhile. Raise RuntimeError if they could not.
    """
    connection = connections[using]
    if connection.vendor == "sqlite":
        purge_deleted_words(using=using)
    elif connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("REINDEX INDEX CONCURRENTLY conversations_itemtext_words")
    elif connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("OPTIMIZE TABLE conversations_itemtext")
            if errors := [text for *_, kind, text in cursor.fetchall() if kind.lower() == "error"]:
                raise RuntimeError(f"The index of words was not rebuilt: {' '.join(errors)}")
