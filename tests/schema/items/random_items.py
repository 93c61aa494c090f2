"""Valid items with arbitrary JSON spliced into them."""

from copy import deepcopy

from hypothesis import strategies as st

from tests.schema.golden import ACCEPTED


def places(value):
    """Each (container, key) within a JSON value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in entries:
        yield value, key
        yield from places(member)


SENT = [case["sent"] for case in ACCEPTED.values()]
FRAGMENTS = [container[key] for item in SENT for container, key in places(item)]
NAMES = sorted({key for item in SENT for _, key in places(item) if isinstance(key, str)})

text = st.text(st.characters(codec="utf-8") | st.just("\0"))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
names = st.sampled_from(NAMES) | text
values = st.recursive(
    st.none() | st.booleans() | numbers | text | st.sampled_from(FRAGMENTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spliced_items(draw):
    item = deepcopy(draw(st.sampled_from(SENT)))
    for _ in range(draw(st.integers(1, 3))):
        everywhere = list(places(item))
        if not everywhere:
            break
        container, key = draw(st.sampled_from(everywhere))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                container[key] = deepcopy(draw(values))
            case "remove":
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(names)] = deepcopy(draw(values))
            case "add":
                container.insert(key, deepcopy(draw(values)))
    return item
