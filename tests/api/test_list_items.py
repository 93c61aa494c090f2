import pytest

HELLO = {"role": "user", "content": "Hello!"}


@pytest.fixture
def conversation_id(as_alice):
    return as_alice.new_conversation(*({**HELLO, "id": f"msg_{n}"} for n in range(5)))


def ids(response):
    return [item["id"] for item in response.json()["data"]]


def test_items_are_listed_newest_first_by_default(as_alice, conversation_id):
    response = as_alice.get(f"/conversations/{conversation_id}/items")
    assert response.status_code == 200
    assert list(response.json()) == ["object", "data", "first_id", "has_more", "last_id"]
    assert ids(response) == ["msg_4", "msg_3", "msg_2", "msg_1", "msg_0"]
    assert ids(as_alice.get(f"/conversations/{conversation_id}/items", order="desc")) == ids(response)
    assert ids(as_alice.get(f"/conversations/{conversation_id}/items", order="asc")) == ids(response)[::-1]


def test_setting_is_the_number_of_items_on_a_page_without_limit(as_alice, conversation_id, settings):
    settings.CONVERSATIONS_DEFAULT_PAGE_SIZE = 3
    page = as_alice.get(f"/conversations/{conversation_id}/items")
    assert (ids(page), page.json()["has_more"]) == (["msg_4", "msg_3", "msg_2"], True)
    assert len(ids(as_alice.get(f"/conversations/{conversation_id}/items", limit=100))) == 5


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
def test_pages_contain_every_item_once_with_an_exact_has_more(as_alice, conversation_id, order, limit):
    found_ids, after = [], {}
    while True:
        page = as_alice.get(f"/conversations/{conversation_id}/items", order=order, limit=limit, **after).json()
        found_ids += [item["id"] for item in page["data"]]
        assert page["has_more"] == (len(found_ids) < 5)
        assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert found_ids == sorted((f"msg_{n}" for n in range(5)), reverse=order == "desc")


def test_page_after_the_last_item_is_empty(as_alice, conversation_id):
    response = as_alice.get(f"/conversations/{conversation_id}/items", after="msg_0")
    assert response.json() == {"object": "list", "data": [], "first_id": None, "has_more": False, "last_id": None}


def test_default_page_size_is_twenty(as_alice):
    conversation_id = as_alice.new_conversation(*[HELLO] * 20)
    as_alice.post(f"/conversations/{conversation_id}/items", {"items": [HELLO]})
    page = as_alice.get(f"/conversations/{conversation_id}/items").json()
    assert (len(page["data"]), page["has_more"]) == (20, True)


@pytest.mark.parametrize("after", ["msg_none", "", "ü", "x" * 65, "msg_\x00"])
def test_unknown_after_cursor_is_not_found(as_alice, conversation_id, assert_error, after):
    response = as_alice.get(f"/conversations/{conversation_id}/items", after=after)
    assert_error(response, 404, f"No item found with id '{after}'", param="after")


def test_after_cursor_of_a_deleted_item_is_not_found(as_alice, conversation_id, assert_error):
    as_alice.delete(f"/conversations/{conversation_id}/items/msg_2")
    response = as_alice.get(f"/conversations/{conversation_id}/items", after="msg_2")
    assert_error(response, 404, "No item found with id 'msg_2'", param="after")


def test_after_cursor_of_another_conversation_is_not_found(as_alice, conversation_id):
    as_alice.new_conversation({**HELLO, "id": "msg_elsewhere"})
    assert as_alice.get(f"/conversations/{conversation_id}/items", after="msg_elsewhere").status_code == 404


def test_unknown_parameters_are_ignored(as_alice, conversation_id):
    assert len(ids(as_alice.get(f"/conversations/{conversation_id}/items", before="x", foo="bar"))) == 5


def test_conversation_of_another_user_is_not_found(as_bob, conversation_id, assert_error):
    response = as_bob.get(f"/conversations/{conversation_id}/items")
    assert_error(response, 404, f"Conversation with id '{conversation_id}' not found.")


def test_list_takes_one_query_for_any_limit(as_alice, conversation_id, django_assert_num_queries):
    as_alice.get(f"/conversations/{conversation_id}/items")
    for limit in (1, 100):
        with django_assert_num_queries(1):
            as_alice.get(f"/conversations/{conversation_id}/items", limit=limit)
        with django_assert_num_queries(1):
            as_alice.get(f"/conversations/{conversation_id}/items", limit=limit, after="msg_3")
