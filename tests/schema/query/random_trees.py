"""Random trees of conditions, the texts that are parsed into them, and texts that resemble such texts."""

from hypothesis import strategies as st

from conversations.schema.query.nodes import And, CreatedCondition, MetadataCondition, Not, Or
from conversations.schema.query.operators import NO_VALUE_SIGNS, VALUE_SIGNS
from tests.schema.query.query_trees import created

pieces = st.sampled_from(
    [
        *'()-"\\[]<>= ',
        *VALUE_SIGNS,
        *NO_VALUE_SIGNS,
        "AND",
        "OR",
        " AND ",
        " OR ",
        "metadata",
        'metadata["',
        '"]',
        "created",
        ">=2026-01-01",
        "a:1",
    ]
)
texts = st.text(max_size=60) | st.lists(pieces | st.characters(), max_size=80).map("".join)

storable = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
keys = st.text(storable, min_size=1, max_size=6)
values = st.text(storable, max_size=6)
_names_with_value = [operator.name for operator in VALUE_SIGNS.values()]
_names_without_value = [operator.name for operator in NO_VALUE_SIGNS.values()]
leaves = (
    st.builds(MetadataCondition, keys, st.sampled_from(_names_with_value), st.tuples(values))
    | st.builds(MetadataCondition, keys, st.sampled_from(_names_without_value))
    | st.builds(created, st.sampled_from(["gt", "gte", "lt", "lte"]), st.integers(-(10**12) + 1, 10**12 - 1))
)


def flatten_group(kind, parts):
    return kind(tuple(inner for part in parts for inner in (part.parts if isinstance(part, kind) else [part])))


def groups(trees):
    several = st.lists(trees, min_size=2, max_size=3)
    return (
        several.map(lambda parts: flatten_group(And, parts))
        | several.map(lambda parts: flatten_group(Or, parts))
        | trees.map(Not)
    )


trees = st.recursive(leaves, groups, max_leaves=8)


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def format_tree(tree):
    match tree:
        case And(of):
            return f"({' AND '.join(map(format_tree, of))})"
        case Or(of):
            return f"({' OR '.join(map(format_tree, of))})"
        case Not(of):
            return f"-{format_tree(of)}"
        case CreatedCondition(operator, seconds):
            return f"created{ {'gt': '>', 'gte': '>=', 'lt': '<', 'lte': '<='}[operator] }{seconds}"
        case MetadataCondition(key, _, values):
            return f"metadata[{quote(key)}]{tree.definition.sign}{''.join(map(quote, values))}"
