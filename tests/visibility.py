from django.contrib.auth.models import User
from django.db.models import Q


def visible_to_group(conversations, user):
    """Return the conversations of the user and of all who are in one of the user's groups."""
    teammates = User.objects.filter(groups__in=user.groups.all())
    return conversations.filter(Q(owner=user.pk) | Q(owner__in=teammates))
