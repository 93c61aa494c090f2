import pytest

from conversations.errors import join_quoted
from conversations.schema.query.operators import METADATA_OPERATORS


@pytest.fixture
def ids(as_alice, as_bob):
    """Return the ids of six conversations of alice, created in turn with six of bob; her first two have a topic."""
    alices_ids = []
    for n in range(6):
        metadata = {"n": str(n), "parity": "odd" if n % 2 else "even"}
        alices_ids.append(as_alice.new_conversation(**metadata, **({"topic": f"demo {n}"} if n < 2 else {})))
        as_bob.new_conversation(**metadata, topic="demo 0")
    return alices_ids


def list_ids(response):
    assert response.status_code == 200, response.content
    return [conversation["id"] for conversation in response.json()["data"]]


def test_own_conversations_are_listed_newest_first(as_alice, ids):
    response = as_alice.get("/conversations")
    assert list(response.json()) == ["object", "data", "first_id", "has_more", "last_id"]
    assert list_ids(response) == ids[::-1]
    assert response.json()["data"][0] == as_alice.get(f"/conversations/{ids[-1]}").json()
    assert list_ids(as_alice.get("/conversations", order="asc")) == ids


def test_empty_list_has_null_first_and_last_ids(as_alice):
    response = as_alice.get("/conversations")
    assert response.json() == {"object": "list", "data": [], "first_id": None, "has_more": False, "last_id": None}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 4, 6])
def test_after_cursor_pages_through_every_conversation_once(as_alice, ids, order, limit):
    found_ids, cursor = [], {}
    while True:
        page = as_alice.get("/conversations", order=order, limit=limit, **cursor).json()
        found_ids += [conversation["id"] for conversation in page["data"]]
        assert page["has_more"] == (len(found_ids) < 6)
        if not page["has_more"]:
            break
        cursor = {"after": page["last_id"]}
    assert found_ids == (ids if order == "asc" else ids[::-1])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_before_cursor_returns_the_directly_preceding_conversations(as_alice, ids, order):
    ordered = ids if order == "asc" else ids[::-1]
    page = as_alice.get("/conversations", order=order, limit=2, before=ordered[4]).json()
    assert ([conversation["id"] for conversation in page["data"]], page["has_more"]) == (ordered[2:4], True)
    page = as_alice.get("/conversations", order=order, limit=2, before=ordered[2]).json()
    assert ([conversation["id"] for conversation in page["data"]], page["has_more"]) == (ordered[:2], False)
    assert list_ids(as_alice.get("/conversations", order=order, before=ordered[0])) == []


def test_cursor_stays_valid_after_its_conversation_is_deleted_or_changed(as_alice, as_bob, ids):
    as_alice.delete(f"/conversations/{ids[3]}")
    assert list_ids(as_alice.get("/conversations", after=ids[3])) == [ids[2], ids[1], ids[0]]
    bobs_id = as_bob.get("/conversations", limit=1, order="asc").json()["first_id"]
    assert list_ids(as_alice.get("/conversations", after=bobs_id)) == [ids[0]]
    assert list_ids(as_alice.get("/conversations", after=f"conv_{'0' * 8}")) == []
    as_alice.post(f"/conversations/{ids[4]}", {"metadata": {}})
    query = {"metadata[parity]": "even", "after": ids[4]}
    assert list_ids(as_alice.get("/conversations", **query)) == [ids[2], ids[0]]


@pytest.mark.parametrize("max_sorted", [1, 1_000])  # matches that are sorted, rather than read in this order
@pytest.mark.parametrize(
    ("query", "selected"),
    [
        ({}, range(6)),
        ({"query": "parity:odd"}, [1, 3, 5]),
        ({"query": "-topic:*"}, [2, 3, 4, 5]),
        ({"query": "n:0 OR n:5"}, [0, 5]),
        ({"created_at[gte]": 1}, range(6)),
        ({"active_at[gte]": 1}, [0, 1, 3, 5]),
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_conversations_are_ordered_by_last_activity(as_alice, ids, monkeypatch, query, selected, order, max_sorted):
    monkeypatch.setattr("conversations.search.planner.MAX_SORTED", max_sorted)
    for n in (3, 1, 0, 5, 1):
        as_alice.post(f"/conversations/{ids[n]}/items", {"items": [{"role": "user", "content": "hi"}]})
    in_order = [ids[n] for n in (2, 4, 3, 0, 5, 1) if n in selected]  # Those without items are the least active ones.
    expected = in_order if order == "asc" else in_order[::-1]

    def read(**parameters):
        response = as_alice.get("/conversations", order_by="last_item_at", order=order, **query, **parameters)
        return list_ids(response), response.json()["has_more"]

    assert read() == (expected, False)
    for at, cursor in enumerate(expected):
        assert read(limit=1, after=cursor) == (expected[at + 1 : at + 2], at < len(expected) - 2)
        assert read(limit=1, before=cursor) == (expected[max(at - 1, 0) : at], at > 1)


def test_cursor_in_the_order_of_last_activity_has_to_be_a_visible_conversation(as_alice, as_bob, ids, assert_error):
    bobs_id = as_bob.get("/conversations", limit=1).json()["first_id"]
    as_alice.delete(f"/conversations/{ids[3]}")
    for cursor in (bobs_id, ids[3], "conv_00000000"):
        for name in ("after", "before"):
            response = as_alice.get("/conversations", order_by="last_item_at", **{name: cursor})
            message = f"Invalid '{name}': '{cursor}'. Expected the ID of an existing conversation."
            assert_error(response, 400, message, param=name, code="invalid_cursor")
    assert list_ids(as_alice.get("/conversations", order_by="created_at", after=ids[3])) == ids[2::-1]


CONDITIONS = {
    "metadata[parity]=odd": [5, 3, 1],
    "metadata[parity][eq]=odd": [5, 3, 1],
    "metadata%5Bparity%5D=odd": [5, 3, 1],
    "metadata[parity]=odd&metadata[n]=3": [3],
    "metadata[parity]=odd&metadata[n]=2": [],
    "metadata[parity]=Odd": [],
    "metadata[parity]=": [],
    "metadata[topic][ne]=demo 0": [1],
    "metadata[n][in][]=1&metadata[n][in][]=4": [4, 1],
    "metadata[n][in]=1&metadata[n][in]=4": [4, 1],
    "metadata[n][in]=4": [4],
    "metadata[n][in][0]=1&metadata[n][in][1]=4": [4, 1],
    "metadata[topic][nin][0]=demo 1&metadata[topic][nin][1]=demo 0": [],
    "metadata[0]=1": [],
    "metadata[topic][nin][]=demo 1&metadata[topic][nin][]=x": [0],
    "metadata[topic][prefix]=dem": [1, 0],
    "metadata[topic][prefix]=Dem": [],
    "metadata[topic][contains]=mo 1": [1],
    "metadata[topic][contains]=MO": [],
    "metadata[topic][suffix]=mo 1": [1],
    "metadata[topic][suffix]=O": [],
    "metadata[topic][suffix]=": [1, 0],
    "metadata[topic][exists]=true": [1, 0],
    "metadata[topic][exists]=false": [5, 4, 3, 2],
    "created_at[gte]=0&created_at[lt]=4000000000": [5, 4, 3, 2, 1, 0],
    "created_at[gt]=4000000000": [],
    "created_at[lte]=1000": [],
    "query=": [5, 4, 3, 2, 1, 0],
    "query=parity:odd": [5, 3, 1],
    'query=parity:odd -metadata["n"]:"3"': [5, 1],
    "query=n:0 OR n:5": [5, 0],
    "query=-topic:*&metadata[parity]=even": [4, 2],
    "query=created<2020-01-01": [],
}


@pytest.mark.parametrize("query", CONDITIONS)
def test_filter_parameters_select_conversations(as_alice, ids, query):
    assert list_ids(as_alice.client.get(f"/v1/conversations?{query}")) == [ids[n] for n in CONDITIONS[query]]


def test_created_at_filters_are_exact_to_the_second(as_alice):
    conversation_id = as_alice.new_conversation()
    second = as_alice.get(f"/conversations/{conversation_id}").json()["created_at"]
    for operator, shift, is_match in (
        ("gte", 0, True),
        ("gte", 1, False),
        ("gt", 0, False),
        ("gt", -1, True),
        ("lte", 0, True),
        ("lte", -1, False),
        ("lt", 0, False),
        ("lt", 1, True),
    ):
        response = as_alice.get("/conversations", **{f"created_at[{operator}]": second + shift})
        assert list_ids(response) == ([conversation_id] if is_match else []), (operator, shift)


@pytest.mark.parametrize(
    "key", ["__gt", "a__b", "'; DROP TABLE x; --", '"', "$.a", "%s", "ключ", "🦓", "a.b", "1", " "]
)
def test_metadata_keys_with_special_characters_match_literally(as_alice, key):
    conversation_id = as_alice.new_conversation(**{key: "'; --"})
    as_alice.new_conversation(**{f"{key}x": "'; --"})
    assert list_ids(as_alice.get("/conversations", **{f"metadata[{key}]": "'; --"})) == [conversation_id]
    quoted = key.replace('"', '\\"')
    assert list_ids(as_alice.get("/conversations", query=f'metadata["{quoted}"]:"\'; --"')) == [conversation_id]


OPERATORS = join_quoted(METADATA_OPERATORS, "and")
REFUSED = {
    "foo=1": ("Unknown parameter: 'foo'.", "foo", "unknown_parameter"),
    "metadat[a]=1": ("Unknown parameter: 'metadat[a]'.", "metadat[a]", "unknown_parameter"),
    "include[]=x": ("Unknown parameter: 'include[]'.", "include[]", "unknown_parameter"),
    "metadata=x": (
        "Invalid 'metadata': expected metadata[key] or metadata[key][operator].",
        "metadata",
        "unknown_parameter",
    ),
    "metadata[a=x": (
        "Invalid 'metadata[a': expected metadata[key] or metadata[key][operator].",
        "metadata[a",
        "unknown_parameter",
    ),
    "metadata[a]x=1": (
        "Invalid 'metadata[a]x': expected metadata[key] or metadata[key][operator].",
        "metadata[a]x",
        "unknown_parameter",
    ),
    "metadata[a[b]]=x": (
        "Invalid 'metadata[a[b]]': expected metadata[key] or metadata[key][operator].",
        "metadata[a[b]]",
        "unknown_parameter",
    ),
    "metadata[]=x": (
        "Invalid 'metadata[]': empty string. Expected a string with minimum length 1, but got an empty string instead.",
        "metadata[]",
        "empty_string",
    ),
    "metadata[a][like]=x": (
        f"Invalid 'metadata[a][like]': unknown operator 'like'. Supported operators are: {OPERATORS}.",
        "metadata[a][like]",
        "invalid_operator",
    ),
    "metadata[a][gt]=x": (
        f"Invalid 'metadata[a][gt]': unknown operator 'gt'. Supported operators are: {OPERATORS}.",
        "metadata[a][gt]",
        "invalid_operator",
    ),
    "metadata[a][eq][]=x": (
        f"Invalid 'metadata[a][eq][]': unknown operator 'eq[]'. Supported operators are: {OPERATORS}.",
        "metadata[a][eq][]",
        "invalid_operator",
    ),
    "metadata[a][exists]=yes": (
        "Invalid value: 'yes'. Supported values are: 'true' and 'false'.",
        "metadata[a][exists]",
        "invalid_value",
    ),
    f"metadata[{'k' * 65}]=x": (
        f"Invalid 'metadata[{'k' * 65}]': string too long. Expected a string with maximum length 64, "
        "but got a string with length 65 instead.",
        f"metadata[{'k' * 65}]",
        "string_above_max_length",
    ),
    f"metadata[a]={'v' * 513}": (
        "Invalid 'metadata[a]': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead.",
        "metadata[a]",
        "string_above_max_length",
    ),
    "metadata[a]=%00": (
        "Invalid 'metadata[a]': NUL character in a string. Expected text without it.",
        "metadata[a]",
        "invalid_value",
    ),
    "&".join(f"metadata[k{n}]=x" for n in range(17)): (
        "Invalid 'metadata': too many conditions. Expected at most 16, but got 17 instead.",
        "metadata",
        "too_many_conditions",
    ),
    "created_at=1": ("Invalid 'created_at': expected created_at[operator].", "created_at", "unknown_parameter"),
    "created_at[eq]=1": (
        "Invalid 'created_at[eq]': unknown operator 'eq'. Supported operators are: 'gt', 'gte', 'lt', and 'lte'.",
        "created_at[eq]",
        "invalid_operator",
    ),
    "active_at=1": ("Invalid 'active_at': expected active_at[operator].", "active_at", "unknown_parameter"),
    "order_by=id": (
        "Invalid value: 'id'. Supported values are: 'created_at' and 'last_item_at'.",
        "order_by",
        "invalid_value",
    ),
    "order_by=last_item_at&after=msg_1": (
        "Invalid 'after': 'msg_1'. Expected the ID of a conversation.",
        "after",
        "invalid_cursor",
    ),
    "status=done": ("Invalid value: 'done'. Supported values are: 'failed'.", "status", "invalid_value"),
    "has=calls": (
        "Invalid value: 'calls'. Supported values are: 'unanswered_call' and 'hold'.",
        "has",
        "invalid_value",
    ),
    "type=": (
        "Invalid 'type': empty string. Expected a string with minimum length 1, but got an empty string instead.",
        "type",
        "empty_string",
    ),
    "tool[eq]=x": ("Invalid 'tool[eq]': expected tool.", "tool[eq]", "unknown_parameter"),
    "item_count[eq]=1": (
        "Invalid 'item_count[eq]': unknown operator 'eq'. Supported operators are: 'gt', 'gte', 'lt', and 'lte'.",
        "item_count[eq]",
        "invalid_operator",
    ),
    "item_count[gte]=many": (
        "Invalid type for 'item_count[gte]': expected an integer, but got a string instead.",
        "item_count[gte]",
        "invalid_type",
    ),
    "created_at[gt]=today": (
        "Invalid type for 'created_at[gt]': expected an integer, but got a string instead.",
        "created_at[gt]",
        "invalid_type",
    ),
    "created_at[gte]=1796055141000": (
        "Invalid 'created_at[gte]': integer above maximum value. Expected a value <= 999999999999, "
        "but got 1796055141000 instead.",
        "created_at[gte]",
        "integer_above_max_value",
    ),
    "query[a]=x": ("Unknown parameter: 'query[a]'.", "query[a]", "unknown_parameter"),
    "query=a:b&query[a]=x": ("Unknown parameter: 'query[a]'.", "query[a]", "unknown_parameter"),
    "after=msg_1": ("Invalid 'after': 'msg_1'. Expected the ID of a conversation.", "after", "invalid_cursor"),
    "before=": ("Invalid 'before': ''. Expected the ID of a conversation.", "before", "invalid_cursor"),
    "after=conv_1&before=conv_2": (
        "Mutually exclusive parameters: ''. Ensure you are only providing one of: 'after' or 'before'.",
        None,
        "mutually_exclusive_parameters",
    ),
}


@pytest.mark.parametrize("query", REFUSED)
def test_invalid_filter_is_refused_rather_than_ignored(as_alice, assert_error, query):
    message, param, code = REFUSED[query]
    assert_error(as_alice.client.get(f"/v1/conversations?{query}"), 400, message, param=param, code=code)


@pytest.mark.parametrize(
    "name",
    [
        "limit",
        "order",
        "order_by",
        "after",
        "before",
        "query",
        "metadata[a]",
        "metadata[a][prefix]",
        "created_at[gt]",
        "active_at[gt]",
    ],
)
def test_repeated_scalar_parameter_is_refused(as_alice, name):
    error = as_alice.client.get(f"/v1/conversations?{name}=1&{name}=1").json()["error"]
    assert (error["param"], error["code"]) == (name, "duplicate_parameter")


def test_query_syntax_error_names_the_position(as_alice):
    error = as_alice.get("/conversations", query="topic:demo OR").json()["error"]
    assert (error["param"], error["code"]) == ("query", "invalid_query")
    assert "position 14" in error["message"]


def test_contains_condition_must_be_bounded_by_another_condition(as_alice, ids, monkeypatch):
    monkeypatch.setattr("conversations.search.planner.MAX_READABLE", 5)
    response = as_alice.get("/conversations", **{"metadata[topic][contains]": "mo"})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "metadata[topic][contains]"
    assert response.json()["error"]["code"] == "unbounded_condition"
    assert as_alice.get("/conversations", query="topic~mo OR parity:odd").status_code == 400
    assert as_alice.get("/conversations", query="topic~mo -parity:odd").status_code == 400
    bounded = {"metadata[topic][contains]": "mo", "metadata[parity]": "even"}
    assert list_ids(as_alice.get("/conversations", **bounded)) == [ids[0]]
    window = {"metadata[topic][contains]": "mo", "created_at[gt]": "0"}
    assert list_ids(as_alice.get("/conversations", **window)) == [ids[1], ids[0]]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({}, 1),
        ({"limit": 1, "order": "asc"}, 1),
        ({"created_at[gte]": "1"}, 1),
        ({"metadata[parity]": "odd"}, 2),  # the ids from the index, then the conversations
        ({"metadata[topic][exists]": "true", "limit": 1}, 2),
        ({"metadata[n][in]": "3"}, 2),
        ({"metadata[parity]": "odd", "metadata[n]": "3"}, 3),  # also one to compare the numbers of matches
    ],
)
def test_number_of_queries_depends_only_on_the_kind_of_condition(
    as_alice, ids, query, number, django_assert_num_queries
):
    for _ in range(2):
        with django_assert_num_queries(number):
            assert list_ids(as_alice.get("/conversations", **query))
        for n in range(20):
            as_alice.new_conversation(n=str(n), parity="odd" if n % 2 else "even", topic="demo")
