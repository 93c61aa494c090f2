from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from conversations.idempotency import purge_records
from conversations.models import PendingRecord, RequestRecord

DAY = timedelta(hours=24)


@pytest.fixture
def records(transactional_db):
    now = timezone.now()
    for number in range(450):
        record = PendingRecord.with_key(str(number), fingerprint="", retry_count=0)
        record.created_at = now - DAY if number < 300 else now - DAY + timedelta(hours=1)
        record.store(None, using="default")


def test_purge_deletes_the_expired_records_in_batches(records):
    counts = list(purge_records())
    assert sum(counts) == 300
    assert len(counts) > 1
    assert set(RequestRecord.objects.values_list("key", flat=True)) == {str(number) for number in range(300, 450)}
    assert list(purge_records()) == []


def test_purge_command_purges_records(records, capsys):
    call_command("purge_deleted_conversations")
    purged = "Purged 0 deleted conversations.\nPurged 300 request records.\n"
    assert capsys.readouterr().out.startswith(purged)
