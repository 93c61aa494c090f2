"""Code of a project that uses the whole Python API and is checked by `mypy --strict`; it is never executed."""

from typing import Any, assert_type

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest, JsonResponse
from rest_framework.authentication import SessionAuthentication

from conversations.admin import ConversationAdmin
from conversations.api.serializers import ConversationSerializer
from conversations.api.suggestions import MetadataSuggestionViewSet
from conversations.api.views import ConversationViewSet, ItemViewSet
from conversations.deletion import BulkDelete, delete_conversation
from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet, DeletedConversation, Item
from conversations.owned_conversations import OwnedConversations
from conversations.schema.query.nodes import And, MetadataCondition
from conversations.signals import conversation_created, items_added
from conversations.trash import move_to_trash, restore
from conversations.urls import api_urls


@login_required
def start(request: HttpRequest) -> JsonResponse:
    try:
        conversation = Conversation.objects.create_with_items(
            owner=request.user, metadata={"topic": "demo"}, items=[{"role": "user", "content": "Hello!"}]
        )
    except APIError as error:
        return JsonResponse({"message": error.message, "param": error.param, "code": error.code}, status=error.status)
    assert_type(conversation, Conversation)
    rows = conversation.add_items([{"role": "assistant", "content": "Hi."}], user=request.user)
    assert_type(rows, list[Item])
    assert_type(conversation.as_input(), list[dict[str, Any]])
    conversation.replace_metadata({"topic": "new"})
    conversation.delete_item(rows[0].item_id)
    assert_type(conversation.fork(after="msg_1", metadata={"topic": "fork"}), Conversation)
    conversation.rewind(after=None)
    return JsonResponse({"url": conversation.get_absolute_url(), "from": conversation.forked_from})


def search(request: HttpRequest) -> JsonResponse:
    visible = Conversation.objects.visible_to(request.user)
    demo = visible.matching("topic:demo created>=2026-01-01").with_metadata(topic="demo")
    demo = demo.matching(And((MetadataCondition("topic", "eq", ("demo",)),))).with_metadata({"order id": "A-1"})
    page = demo.page(limit=20, order="asc", after="conv_1", matching="topic:demo")
    assert_type(page.rows, list[Conversation])
    assert_type(demo.first(), Conversation | None)
    count: int = demo.capped_count(1_000)
    return JsonResponse({"rows": [row.pk for row in page.rows], "has_more": page.has_more, "count": count})


def own(user: User) -> list[Conversation]:
    user.conversations.with_metadata(topic="demo").capped_count(10)
    OwnedConversations(user).get("conv_1")
    assert_type(user.conversations.page(limit=20).rows, list[Conversation])
    return user.conversations.page(limit=20).rows


async def talk(user: User) -> Conversation:
    conversation = await Conversation.objects.acreate_with_items(owner=user, items=[{"role": "user", "content": "Hi."}])
    [item] = await conversation.aadd_items([{"role": "assistant", "content": "Hello."}])
    await conversation.areplace_metadata({"topic": "demo"})
    await conversation.adelete_item(item.item_id)
    await conversation.arewind(after=None)
    assert_type(await conversation.afork(after=None), Conversation)
    return conversation


def remove(conversation: Conversation, user: User) -> DeletedConversation | None:
    for _ in BulkDelete(Conversation.objects.visible_to(user), query=And(())):
        pass
    deleted = move_to_trash(conversation, deleted_by=user)
    if deleted:
        restore(deleted, owner=user)
    delete_conversation(conversation)
    return deleted


@receiver([conversation_created, items_added])
def notify(sender: type[Conversation], **kwargs: Any) -> None:
    sender.objects.filter(pk__in=[row.pk for row in kwargs.get("conversations", ())])


def visible_to_team(conversations: ConversationQuerySet, user: User) -> ConversationQuerySet:
    return conversations.filter(owner__groups__in=user.groups.all())


class CountedSerializer(ConversationSerializer):
    def to_representation(self, instance: Conversation) -> dict[str, Any]:
        return {**super().to_representation(instance), "item_count": instance.item_count}


class SiteConversationViewSet(ConversationViewSet):
    authentication_classes = [SessionAuthentication]
    serializer_class = CountedSerializer

    def get_queryset(self) -> ConversationQuerySet:
        return super().get_queryset().with_metadata(site="yes")


class SiteItemViewSet(ItemViewSet):
    authentication_classes = [SessionAuthentication]


class SiteSuggestionViewSet(MetadataSuggestionViewSet):
    authentication_classes = [SessionAuthentication]


urlpatterns = api_urls(conversations=SiteConversationViewSet, items=SiteItemViewSet, suggestions=SiteSuggestionViewSet)


class OwnConversationAdmin(ConversationAdmin):
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(owner=request.user.pk)
