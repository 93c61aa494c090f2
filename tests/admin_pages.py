"""The URL of every page of the app's admin by name, for a database filled by `tests.seed` and `add_other_rows`."""

from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from conversations import ids
from conversations.models import (
    AccessRecord,
    APIKey,
    Conversation,
    DeletedConversation,
    DeletedPart,
    Item,
    RetentionRule,
    SavedView,
)
from conversations.schema.items import validate_items

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
RARE_WORD = "platypus"
BATCH = 2_000
MAX_VIEWS = 1_100

PREVIEWS = urlencode(
    {
        "columns": ["created", "owner", "metadata_pairs", "item_count", "last_item", "last_message"],
        "column_key": ["tenant", "channel", "order_id"],
    },
    doseq=True,
)


def add_other_rows(user: Any, owner: Any, *, count: int) -> None:
    """Add `count` keys, deleted conversations and access log entries each, and saved views up to `MAX_VIEWS`.

    Also add a conversation with a rare word, and a retention rule.
    """
    [item] = validate_items([{"role": "user", "content": f"Is a {RARE_WORD} a mammal?"}])
    conversation = Conversation.objects.create_with_items(owner=owner, metadata={"topic": RARE_WORD}, items=[item])
    RetentionRule.objects.get_or_create(name="plan legacy", defaults={"query": "plan:legacy", "days": 3650})
    now = timezone.now()
    actions = AccessRecord.Action.values
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        SavedView.objects.bulk_create(
            SavedView(owner=user, name=f"view {n}", query_string=f"owner={owner}", is_shared=n < 100)
            for n in numbers
            if n < MAX_VIEWS
        )
        APIKey.objects.bulk_create(
            APIKey(user=owner, name=f"key {n}", prefix=f"sk-conv-{n}", hash=f"{n:064}") for n in numbers
        )
        AccessRecord.objects.bulk_create(
            AccessRecord(
                user=user,
                username=user.get_username(),
                action=actions[n % len(actions)],
                conversation_id=conversation.pk if n % 100 == 0 else f"conv_{n}",
            )
            for n in numbers
        )
        first = DeletedConversation.objects.count()
        DeletedConversation.objects.bulk_create(
            DeletedConversation(
                conversation_id=ids.new_id(ids.CONVERSATION_PREFIX),
                owner=owner,
                owner_username=owner.get_username(),
                created_at=now,
                metadata={"tenant": f"tenant-{n:04}"},
                item_count=n % 7,
                deleted_by=user,
                deleted_by_username=user.get_username(),
            )
            for n in numbers
        )
        added = DeletedConversation.objects.order_by("pk")[first:]
        DeletedPart.objects.bulk_create(
            DeletedPart(deleted_conversation=row, number=1, content=b"x" * 300) for row in added
        )


def list_pages() -> dict[str, str]:
    """Return the conversation list with each kind of filter, order and page."""
    newest = Conversation.objects.latest("pk")
    middle = Conversation.objects.order_by("pk")[Conversation.objects.count() // 2]
    day = middle.created_at.date().isoformat()
    largest, small = owners()
    parameters: dict[str, list[tuple[str, str]]] = {
        "plain": [],
        "oldest first": [("o", "title")],
        "last activity first": [("o", "last_item")],
        "deep": [("after", middle.pk)],
        "deep, backwards": [("before", middle.pk)],
        "last": [("last", "1")],
        "a day": [("created_from", day), ("created_to", day)],
        "largest owner": [("owner", largest)],
        "small owner": [("owner", small)],
        "largest owner, deep": [("owner", largest), ("after", middle.pk)],
        "id": [("q", middle.pk)],
        "is, common": _condition("channel", "eq", "web"),
        "is, rare": _condition("größe", "eq", "Übermaß"),
        "is, oldest": _condition("plan", "eq", "legacy"),
        "is, none": _condition("plan", "eq", "no such plan"),
        "is, common, deep": [*_condition("channel", "eq", "web"), ("after", middle.pk)],
        "is set and is not": _condition("plan", "ne", "free"),
        "is any of": _condition("channel", "in", "web, app"),
        "is set and is none of": _condition("channel", "nin", "web, app"),
        "begins with": _condition("tenant", "prefix", "tenant-00"),
        "begins with, rare": _condition("order_id", "prefix", "order-0123"),
        "is set": _condition("escalated", "exists", ""),
        "is not set": _condition("escalated", "absent", ""),
        "is not set, rare": _condition("channel", "absent", ""),
        "contains": _condition("order_id", "contains", "abcd"),
        "contains, a day": [
            *_condition("order_id", "contains", "abcd"),
            ("created_from", day),
            ("created_to", day),
        ],
        "three conditions": [
            *_condition("channel", "eq", "web"),
            *_condition("plan", "in", "team, enterprise"),
            *_condition("escalated", "exists", ""),
        ],
        "conditions, owner and days": [
            *_condition("channel", "eq", "web"),
            ("owner", largest),
            ("created_from", day),
        ],
        "typed": [("q", "channel:web (plan:team OR plan:legacy) -escalated:*")],
        "typed, nothing satisfies it": [("q", "plan:* -tenant:*")],
        "typed, only a negation that nothing satisfies": [("q", "-(channel:* OR -channel:*)")],
        "text, frequent": [("q", '"order"')],
        "text, rare": [("q", RARE_WORD)],
        "text, none": [("q", "xylophone")],
        "text, two words": [("q", "parcel thursday")],
        "text and condition": [("q", '"order" channel:web')],
        "text and rare condition": [("q", '"order" escalated:*')],
        "text, small owner": [("q", '"order"'), ("owner", small)],
        "text, not said": [("q", '-"order"')],
        "active before": [("q", f"active<{day}")],
        "active since": [("q", f"active>={newest.created_at.date().isoformat()}")],
        "active since, last activity first": [("q", f"active>={day}"), ("o", "last_item")],
        "owner, typed": [("q", f"@owner:{small}")],
        "type": [("q", "@type:function_call")],
        "type, none": [("q", "@type:mcp_call")],
        "tool, none": [("q", "@tool:no_such_tool")],
        "failed": [("q", "@status:failed")],
        "unanswered": [("q", "@has:unanswered_call")],
        "many items": [("q", "items>=100")],
        "few items": [("q", "items<2")],
        "read as words": [("q", "(tenant:acme")],
        "wrong": [("created_from", "x")],
        "newest": [("created_from", newest.created_at.date().isoformat())],
    }
    url = reverse("admin:conversations_conversation_changelist")
    return {f"list: {name}": f"{url}?{urlencode(pairs)}" if pairs else url for name, pairs in parameters.items()}


def transcript_pages() -> dict[str, str]:
    conversation = next(iter(Conversation.objects.filter(item_count__range=(3, 8)).order_by("-pk")[:1]))
    url = reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])
    filters = urlencode(_condition("channel", "eq", "web"))
    return {
        "transcript": url,
        "transcript, from a filtered list": f"{url}?{urlencode({'_changelist_filters': filters})}",
        "transcript, raw": f"{url}?view=raw",
        "transcript, conversation only": f"{url}?show=messages",
        "item": f"{url.removesuffix('change/')}items/{conversation.items.earliest('position').item_id}/",
        "history": url.replace("/change/", "/history/"),
        "deletion": url.replace("/change/", "/delete/"),
        "export": url.replace("/change/", "/export/"),
    }


def other_pages() -> dict[str, str]:
    """Return all pages but those of the conversation list and the transcript."""
    record, key = AccessRecord.objects.latest("pk"), APIKey.objects.latest("pk")
    deleted, view = DeletedConversation.objects.latest("pk"), SavedView.objects.earliest("pk")
    item = Item.objects.latest("pk")
    largest, _small = owners()
    names = {"access log": "accessrecord", "API keys": "apikey", "deleted conversations": "deletedconversation"}
    lists = {name: reverse(f"admin:conversations_{model}_changelist") for name, model in names.items()}
    log, keys, trash = lists.values()
    models = (AccessRecord, APIKey, DeletedConversation)
    deep = {
        f"{name}, deep": f"{url}?after={_middle_key(model)}"
        for (name, url), model in zip(lists.items(), models, strict=True)
    }
    last = {f"{name}, last": f"{url}?last=1" for name, url in lists.items()}
    views = reverse("admin:conversations_savedview_changelist")
    conversations = reverse("admin:conversations_conversation_changelist")
    web = urlencode(_condition("channel", "eq", "web"))
    overview = reverse("admin:conversations_overview")
    rules = reverse("admin:conversations_retentionrule_changelist")
    rule = RetentionRule.objects.latest("pk")
    return {
        "front page": reverse("admin:index"),
        "index of the app": reverse("admin:app_list", args=["conversations"]),
        "overview": overview,
        "overview, 90 days": f"{overview}?days=90",
        "overview of an owner": f"{overview}?owner={largest}",
        "overview of a value": f"{overview}?{web}",
        "overview of a search": f"{overview}?q=plan:legacy",
        **lists,
        **deep,
        **last,
        "access log, of a user": f"{log}?user={record.username}",
        "access log, of an action": f"{log}?action=read",
        "access log, of a conversation": f"{log}?q={AccessRecord.objects.earliest('pk').conversation_id}",
        "access log entry": f"{log}{record.pk}/change/",
        "API keys, by name": f"{keys}?q={key.name.replace(' ', '+')}",
        "API key": f"{keys}{key.pk}/change/",
        "new API key": f"{keys}add/",
        "deleted conversations, by id": f"{trash}?q={deleted.conversation_id}",
        "deleted conversations, by owner": f"{trash}?q={largest}",
        "deleted conversation": f"{trash}{deleted.pk}/change/",
        "deletion for good": f"{trash}{deleted.pk}/delete/",
        "saved views": views,
        "saved views, last": f"{views}?p=1000",
        "saved views, by name": f"{views}?q=view+9",
        "saved view": f"{views}{view.pk}/change/",
        "new saved view": f"{views}add/",
        "retention rules": rules,
        "retention rule": f"{rules}{rule.pk}/change/",
        "new retention rule": f"{rules}add/",
        "dry run of a retention rule": reverse("admin:conversations_retentionrule_dry_run", args=[rule.pk]),
        "export of all": f"{conversations}export/",
        "export of a filter": f"{conversations}export/?{web}",
        "export of a search": f"{conversations}export/?q=order",
        "bulk deletion of a filter": f"{conversations}delete/?{web}",
        "bulk deletion of a search": f"{conversations}delete/?q=order",
        "person to erase": f"{conversations}erase/",
        "erasure of an owner": f"{conversations}erase/?owner={largest}",
        "legal hold": f"{conversations}{quote(item.conversation_id)}/hold/",
        "redaction": f"{conversations}{quote(item.conversation_id)}/items/{item.item_id}/redact/",
        "suggested keys": f"{conversations}suggestions/?prefix=te",
        "suggested values": f"{conversations}suggestions/?key=order_id&prefix=order-00",
    }


def owners() -> tuple[str, str]:
    """Return the usernames of the largest and of a small owner created by `tests.seed`."""
    names = get_user_model()._default_manager.filter(username__startswith="seed-").order_by("username")
    first, *rest = islice(names.values_list("username", flat=True), 500)
    return first, rest[-1]


def _middle_key(model: Any) -> Any:
    return model.objects.order_by("pk").values_list("pk", flat=True)[model.objects.count() // 2]


def _condition(key: str, operator: str, value: str) -> list[tuple[str, str]]:
    return [("metadata_key", key), ("metadata_operator", operator), ("metadata_value", value)]
