import pytest
from django.db import IntegrityError, transaction

from conversations.models import SavedView


def save(owner, name, **fields) -> SavedView:
    return SavedView.objects.create(owner=owner, name=name, **fields)


def test_own_and_shared_views_are_visible(alice, bob):
    own, _others, shared = save(alice, "own"), save(bob, "private"), save(bob, "shared", is_shared=True)
    assert set(SavedView.objects.visible_to(alice)) == {own, shared}


def test_view_names_are_unique_per_owner(alice, bob):
    save(alice, "open")
    save(bob, "open")
    save(alice, "Open")
    with pytest.raises(IntegrityError), transaction.atomic():
        save(alice, "open")


def test_new_default_replaces_the_previous_default(alice, bob):
    first, of_bob = save(alice, "first", is_default=True), save(bob, "of bob", is_default=True)
    second = save(alice, "second", is_default=True)
    assert SavedView.objects.default_of(alice) == second
    first.refresh_from_db()
    first.is_default = True
    first.save()
    assert SavedView.objects.default_of(alice) == first
    assert list(SavedView.objects.filter(owner=alice, is_default=True)) == [first]
    assert SavedView.objects.default_of(bob) == of_bob


def test_default_view_of_another_user_does_not_apply(alice, bob):
    save(bob, "shared", is_shared=True, is_default=True)
    assert SavedView.objects.default_of(alice) is None


def test_failed_save_keeps_the_previous_default(alice):
    default = save(alice, "default", is_default=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        save(alice, "default", is_default=True)
    assert SavedView.objects.default_of(alice) == default


def test_views_are_deleted_with_their_owner(alice):
    save(alice, "own", is_shared=True)
    alice.delete()
    assert not SavedView.objects.exists()
