"""Message content reaches the admin only through `conversations.admin.content`, which records each access."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import conversations.admin

ADMIN = Path(conversations.admin.__file__).parent
# Functions and classes that record the access themselves, and names that give no access.
PUBLIC_NAMES = {"RecordedSearch", "read_item", "read_items", "first_message", "PREVIEW_COLUMNS"}
PUBLIC_NAMES |= {"read_deleted_page", "read_first_messages", "read_deleted_first_messages"}
PUBLIC_NAMES |= {"conversations_of_call", "conversations_of_item", "conversations_of_items", "count_failed_items"}
CONTENT_NAMES = {"DeletedPart", "Export", "read_deleted_items", "ItemText", "build_q", "planner"}
CONTENT_ATTRIBUTES = {"capped_count", "data_of", "data_page", "items_page", "matching"}
UNRECORDED = {"action_queryset": "list/change_list.py"}


def modules() -> list[Path]:
    return [path for path in sorted(ADMIN.rglob("*.py")) if path.parent.name != "content"]


def accesses(source: str) -> Iterator[str]:
    """Yield the expressions that could read, search or record access to message content."""
    tree = ast.parse(source)
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                is_content = module.startswith("conversations.admin.content")
                for alias in names:
                    if alias.name in CONTENT_NAMES or (is_content and alias.name not in PUBLIC_NAMES):
                        yield alias.name
            case ast.Attribute(value=ast.Name(id="Item" | "ItemText" | "DeletedPart"), attr="objects"):
                yield ast.unparse(node)
            case ast.Attribute(value=ast.Attribute(attr="objects"), attr="record"):
                yield ast.unparse(node)
            case ast.Attribute(attr="items") if node not in called:  # `conversation.items`, not `dictionary.items()`
                yield ast.unparse(node)
            case ast.Attribute(attr=attr) if attr in CONTENT_ATTRIBUTES or attr in UNRECORDED:
                yield ast.unparse(node)
            case ast.keyword(arg="matching"):
                yield ast.unparse(node)
            case ast.Constant(value=str(text)) | ast.keyword(arg=str(text)) if text.startswith(("items__", "item__")):
                yield text


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ADMIN).as_posix())
def test_admin_module_reads_content_only_through_the_content_package(path):
    allowed = [name for name, module in UNRECORDED.items() if path == ADMIN / module]
    unrecorded = [text for text in accesses(path.read_text()) if text.rpartition(".")[2] not in allowed]
    assert unrecorded == []


@pytest.mark.parametrize(
    "source",
    [
        "conversation.items.filter(item_id=1)",
        "list(conversation.items)",
        "Item.objects.all()",
        "from conversations.models import ItemText",
        "from conversations.transfer.exporter import Export",
        "from conversations.admin.content.previews import build_previews",
        "conversations.matching(query)",
        "conversations.page(limit=1, matching=query)",
        "Conversation.objects.filter(items__data__contains='x')",
        "AccessRecord.objects.record(user=user)",
        "search.action_queryset()",
    ],
)
def test_each_way_around_the_content_package_is_detected(source):
    assert list(accesses(source))


def test_methods_of_dictionaries_are_no_access_to_content():
    assert list(accesses("from conversations.models import Item\n{}.items()")) == []
