from conversations.models import Conversation


def address(conversation: Conversation) -> str:
    return f"/admin/conversations/conversation/{conversation.pk}/change/"
