"""Internals of Django's ORM that `conversations.db`, `search` and `models` rely on.

Django may change them in any release. Such a release fails here first, in a test that names what has changed.
"""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import FullResultSet
from django.db import connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import F, Q, Value
from django.db.models.deletion import Collector
from django.db.models.lookups import Exact
from django.db.models.sql import Query, UpdateQuery
from django.db.models.sql.datastructures import BaseTable
from django.db.models.sql.where import AND

from conversations.models import Conversation


class Placeholder(models.Expression):
    """An expression that is its own parameter."""

    def as_sql(self, compiler, connection):
        return "%s", [self]


class CommentedTable(BaseTable):
    def as_sql(self, compiler, connection):
        sql, parameters = super().as_sql(compiler, connection)
        return f"{sql} /* generic */", parameters


def as_vendor(self, compiler, connection):
    sql, parameters = self.as_sql(compiler, connection)
    return f"{sql} /* {connection.vendor} */", parameters


def compiler(queryset):
    return queryset.query.get_compiler("default")


class TestCompiler:  # for db.compiled, db.distinct_texts and search.row_predicates
    def test_parameters_are_those_of_the_expressions_in_the_order_of_the_sql(self):
        placeholder = Placeholder(output_field=models.CharField())
        sql, parameters = compiler(Group.objects.filter(name=placeholder, pk__gt=3).order_by("pk")).as_sql()
        assert sql.count("%s") == 2
        assert list(parameters) == [placeholder, 3]

    def test_select_has_the_columns_of_the_model_in_its_order(self):
        group_compiler = compiler(Group.objects.order_by("pk"))
        group_compiler.as_sql()
        assert [column.target.attname for column, _sql, _alias in group_compiler.select] == ["id", "name"]

    def test_update_has_its_changes_before_its_conditions(self):
        name, pk = Placeholder(output_field=models.CharField()), Placeholder(output_field=models.BigIntegerField())
        query = Group.objects.filter(pk=pk).query.chain(UpdateQuery)
        query.add_update_values({"name": name, "id": F("id") + 1})
        sql, parameters = query.get_compiler("default").as_sql()
        assert sql.startswith("UPDATE")
        assert list(parameters) == [name, 1, pk]

    def test_converters_are_functions_by_the_index_of_a_column(self):
        conversation_compiler = compiler(Conversation.objects.only("pk", "metadata"))
        conversation_compiler.as_sql()
        columns = [column for column, _sql, _alias in conversation_compiler.select]
        converters = conversation_compiler.get_converters(columns)
        [index] = [number for number, column in enumerate(columns) if column.target.attname == "metadata"]
        functions, column = converters[index]
        value = '{"a": "b"}'
        for function in functions:
            value = function(value, column, connection)
        assert value == {"a": "b"}

    def test_condition_is_compiled_without_where(self):
        query = Query(Group)
        sql, parameters = query.get_compiler("default").compile(query.build_where(Q(name="staff") | Q(pk=3)))
        assert sql.startswith("(")
        assert list(parameters) == ["staff", 3]

    def test_missing_condition_raises_an_error_of_its_own(self):
        queryset = Group.objects.all()
        with pytest.raises(FullResultSet):
            compiler(queryset).compile(queryset.query.where)


class TestTables:  # for db.hints
    def test_table_in_from_can_be_replaced(self):
        queryset = Group.objects.all()
        alias = queryset.query.get_initial_alias()
        queryset.query.alias_map[alias] = CommentedTable(Group._meta.db_table, alias)
        table = connection.ops.quote_name(Group._meta.db_table)
        assert f"FROM {table} /* generic */" in str(queryset.query)

    def test_table_may_have_sql_for_one_database(self, monkeypatch):
        monkeypatch.setattr(CommentedTable, f"as_{connection.vendor}", as_vendor, raising=False)
        queryset = Group.objects.all()
        alias = queryset.query.get_initial_alias()
        queryset.query.alias_map[alias] = CommentedTable(Group._meta.db_table, alias)
        assert f"/* generic */ /* {connection.vendor} */" in str(queryset.query)


class TestWhere:  # for search.planner and admin.list.suggestions
    def test_filters_are_children_of_one_conjunction(self):
        where = Conversation.objects.filter(owner=3).filter(item_count=1).query.where
        assert (where.connector, where.negated, len(where.children)) == (AND, False, 2)
        by_owner = where.children[0]
        assert isinstance(by_owner, Exact)
        assert by_owner.lhs.target == Conversation._meta.get_field("owner")
        assert by_owner.rhs == 3

    def test_negated_or_alternative_filters_are_no_such_children(self):
        for condition in (~Q(owner=3), Q(owner=3) | Q(owner=4)):
            where = Conversation.objects.filter(condition).query.where
            assert not any(isinstance(child, Exact) for child in where.children)

    def test_query_knows_whether_it_has_filters(self):
        assert not Conversation.objects.order_by("pk").query.has_filters()
        assert Conversation.objects.filter(owner=3).query.has_filters()


class TestInstances:  # for db.single_statement, db.replica and models.item
    def test_positional_arguments_are_the_fields_in_their_order(self):
        permission = Permission(None, "Can fly", 7, "fly")
        assert (permission.pk, permission.name, permission.content_type_id) == (None, "Can fly", 7)
        assert permission.codename == "fly"

    def test_cached_relation_needs_no_query(self, db, django_assert_num_queries):
        conversation, owner = Conversation(owner_id=3), User(pk=3)
        conversation._state.fields_cache["owner"] = owner
        with django_assert_num_queries(0):
            assert conversation.owner is owner

    def test_state_decides_between_insert_and_update(self, db, django_assert_num_queries):
        group = Group(None, "staff")
        assert (group._state.adding, group._state.db) == (True, None)
        group.save()
        assert (group._state.adding, group._state.db) == (False, "default")
        copy = Group(group.pk, "others")
        copy._state.adding, copy._state.db = False, "default"
        with django_assert_num_queries(1) as queries:
            copy.save(force_update=True)
        assert queries[0]["sql"].startswith("UPDATE")
        assert Group.objects.get().name == "others"


class TestConnection:  # for db.prepared_cursor
    def test_each_cursor_is_opened_through_one_method(self, db, monkeypatch):
        assert type(connections["default"])._cursor is BaseDatabaseWrapper._cursor
        opened = []

        def open_cursor(name=None):
            opened.append(name)
            return BaseDatabaseWrapper._cursor(connection, name)

        monkeypatch.setattr(connection, "_cursor", open_cursor)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert opened == [None]

    def test_cursor_of_the_driver_can_be_wrapped(self, db):
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        with connection.make_cursor(connection.connection.cursor()) as cursor:
            assert isinstance(cursor, CursorWrapper)
            cursor.execute("SELECT 1")
            assert cursor.fetchall()[0][0] == 1

    def test_postgresql_has_a_cursor_that_sends_parameters_to_the_server(self):
        psycopg = pytest.importorskip("psycopg")
        from django.db.backends.postgresql import base, psycopg_any

        assert psycopg_any.is_psycopg3
        assert issubclass(base.ServerBindingCursor, psycopg.Cursor)
        assert not issubclass(base.ServerBindingCursor, psycopg.ClientCursor)


class TestCollector:  # for deletion and admin.actions.delete_confirmation
    def test_collected_rows_are_known_by_model(self, alice):
        conversation = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
        collector = Collector(using="default")
        collector.collect([conversation])
        assert set(collector.data) == {Conversation}
        names = {rows.model.__name__ for rows in collector.fast_deletes}
        assert names >= {"Item", "MetadataPair"}

    def test_related_rows_are_found_by_one_method(self, alice):
        asked = []

        class Recorder(Collector):
            def related_objects(self, related_model, related_fields, objs):
                asked.append(related_model)
                return super().related_objects(related_model, related_fields, objs)

        Recorder(using="default").collect([alice])
        assert Conversation in asked

    def test_rows_that_nothing_refers_to_can_be_deleted_fast(self, db):
        assert Collector(using="default").can_fast_delete(Group.permissions.through.objects.all())
        assert not Collector(using="default").can_fast_delete(User.objects.all())


def test_lookup_compiles_its_left_side_and_knows_the_table():  # for db.word_index
    lookup = Group.objects.filter(name=Value("x")).query.where.children[0]
    sql, parameters = lookup.process_lhs(compiler(Group.objects.all()), connection)
    table, column = map(connection.ops.quote_name, (Group._meta.db_table, "name"))
    assert (sql, list(parameters)) == (f"{table}.{column}", [])
    assert lookup.lhs.alias == Group._meta.db_table
