"""The operators of metadata conditions. A new operator is one row here, one SQL predicate and one label in the admin.

The SQL predicate is in `search.predicates.VALUE_PREDICATES`, the label in `admin.list.conditions.OPERATOR_LABELS`. The
query parameters, the query language, the query planner and the tests' oracle read this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

Values = tuple[str, ...]


class Arity(Enum):
    NO_VALUE = auto()
    ONE_VALUE = auto()
    MANY_VALUES = auto()


class IndexUse(Enum):
    """How the metadata index, sorted by key and value, leads to the pairs that meet a condition."""

    VALUES = auto()  # The pairs of each value are adjacent.
    PREFIX = auto()  # The pairs of all values with one prefix are adjacent.
    KEY = auto()  # All pairs of the key meet the condition.
    MOST_OF_KEY = auto()  # All pairs of the key are read; as a rule most of them meet the condition.
    NONE = auto()  # Any number of the key's pairs may have to be read to find one that meets the condition.


@dataclass(frozen=True)
class MetadataOperator:
    """An operator of metadata conditions. Every condition requires that the key exists."""

    name: str  # in query parameters, as in `metadata[key][name]=…`
    arity: Arity
    index_use: IndexUse
    predicate: Callable[[str, Values], bool]  # whether a value of the key meets a condition with these values
    sign: str = ""  # between key and value in the query language; empty if the operator is not part of it

    @property
    def is_bounded(self) -> bool:
        """Whether the number of rows read per match has a bound, so that the condition may stand alone."""
        return self.index_use is not IndexUse.NONE

    @property
    def is_index_only(self) -> bool:
        """Whether an index range scan alone answers a condition: every row that it reads is a match."""
        return self.index_use in (IndexUse.VALUES, IndexUse.PREFIX, IndexUse.KEY)


METADATA_OPERATORS = {
    operator.name: operator
    for operator in (
        MetadataOperator("eq", Arity.ONE_VALUE, IndexUse.VALUES, lambda text, values: text in values, sign=":"),
        MetadataOperator("ne", Arity.ONE_VALUE, IndexUse.MOST_OF_KEY, lambda text, values: text not in values),
        MetadataOperator("in", Arity.MANY_VALUES, IndexUse.VALUES, lambda text, values: text in values),
        MetadataOperator("nin", Arity.MANY_VALUES, IndexUse.MOST_OF_KEY, lambda text, values: text not in values),
        MetadataOperator("contains", Arity.ONE_VALUE, IndexUse.NONE, lambda text, values: values[0] in text, sign="~"),
        MetadataOperator("prefix", Arity.ONE_VALUE, IndexUse.PREFIX, str.startswith, sign="^"),
        MetadataOperator("suffix", Arity.ONE_VALUE, IndexUse.NONE, str.endswith),
        MetadataOperator("exists", Arity.NO_VALUE, IndexUse.KEY, lambda text, values: True, sign=":*"),
    )
}

# The operators of the query language by their signs.
VALUE_SIGNS = {each.sign: each for each in METADATA_OPERATORS.values() if each.sign and each.arity is Arity.ONE_VALUE}
NO_VALUE_SIGNS = {each.sign: each for each in METADATA_OPERATORS.values() if each.sign and each.arity is Arity.NO_VALUE}
