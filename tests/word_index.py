"""The words that the storage of the full-text index contains, of rows that were deleted too."""

from django.db import connections
from django.db.backends.utils import CursorWrapper

from conversations.db.fields import encode_word


def is_in_word_index(word: str, *, using: str = "default") -> bool:
    """Whether the engine stores the word in its index. SQLite shortens words that begin like the one before them."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT block FROM conversations_itemtext_words_data")
            return any(word.encode() in bytes(block) for (block,) in cursor.fetchall())
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")  # A checkpoint writes what other databases have changed, too.
            cursor.execute("CHECKPOINT")
            cursor.execute("RESET statement_timeout")
            cursor.execute("SELECT pg_read_binary_file(pg_relation_filepath('conversations_itemtext_words'))")
            return word.encode() in bytes(cursor.fetchone()[0])
        return _is_in_innodb(encode_word(word), connection.settings_dict["NAME"], cursor)


def _is_in_innodb(word: str, database: str, cursor: CursorWrapper) -> bool:
    """Look into the auxiliary tables and into the words that are in memory until they are written to these."""
    cursor.execute("SELECT GET_LOCK('innodb_ft_aux_table', 600)")  # The variable is the whole server's.
    try:
        cursor.execute("SET GLOBAL innodb_ft_aux_table = %s", [f"{database}/conversations_itemtext"])
        words = set()
        for table in ("INNODB_FT_INDEX_TABLE", "INNODB_FT_INDEX_CACHE"):
            cursor.execute(f"SELECT WORD FROM information_schema.{table}")
            words |= {each.lower() for (each,) in cursor.fetchall()}
        return word.lower() in words
    finally:
        cursor.execute("SELECT RELEASE_LOCK('innodb_ft_aux_table')")
