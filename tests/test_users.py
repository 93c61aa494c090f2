from django.contrib.auth.models import User, UserManager

from conversations.users import find_user


class ActiveUserManager(UserManager):
    """A default manager that hides inactive users."""

    def get_queryset(self):
        return super().get_queryset().filter(is_active=True)


def test_user_is_found_by_username(alice, bob):
    assert find_user("alice") == alice
    assert find_user("carol") is None


def test_users_hidden_by_the_default_manager_are_found_only_on_request(alice, monkeypatch):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    manager = ActiveUserManager()
    manager.model = User
    monkeypatch.setattr(User._meta, "default_manager", manager)
    assert find_user("alice") is None
    assert find_user("alice", include_hidden=True) == alice
