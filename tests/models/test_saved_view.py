import pytest
from django.db import IntegrityError, transaction

from conversations.models import SavedView


def save(owner, name, **fields) -> SavedView:
    return SavedView.objects.create(owner=owner, name=name, **fields)


def test_everyone_sees_their_own_and_what_is_shared(alice, bob):
    own, _others, shared = save(alice, "own"), save(bob, "private"), save(bob, "shared", is_shared=True)
    assert set(SavedView.objects.visible_to(alice)) == {own, shared}


def test_of_one_owner_no_two_have_the_same_name(alice, bob):
    save(alice, "open")
    save(bob, "open")
    save(alice, "Open")
    with pytest.raises(IntegrityError), transaction.atomic():
        save(alice, "open")


def test_a_new_default_takes_the_place_of_the_one_before(alice, bob):
    first, of_bob = save(alice, "first", is_default=True), save(bob, "of bob", is_default=True)
    second = save(alice, "second", is_default=True)
    assert SavedView.objects.default_of(alice) == second
    first.refresh_from_db()
    first.is_default = True
    first.save()
    assert SavedView.objects.default_of(alice) == first
    assert list(SavedView.objects.filter(owner=alice, is_default=True)) == [first]
    assert SavedView.objects.default_of(bob) == of_bob


def test_a_view_that_others_share_is_not_ones_default(alice, bob):
    save(bob, "shared", is_shared=True, is_default=True)
    assert SavedView.objects.default_of(alice) is None


def test_what_could_not_be_saved_leaves_the_default_as_it_was(alice):
    default = save(alice, "default", is_default=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        save(alice, "default", is_default=True)
    assert SavedView.objects.default_of(alice) == default


def test_views_go_with_their_owner(alice):
    save(alice, "own", is_shared=True)
    alice.delete()
    assert not SavedView.objects.exists()
