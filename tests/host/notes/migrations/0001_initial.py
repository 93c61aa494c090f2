from django.db import migrations, models

CONVERSATION, ITEM = "conversations.conversation", "conversations.item"


def fields(reference: models.Field) -> list[tuple[str, models.Field]]:
    primary_key = models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
    return [("id", primary_key), (reference.remote_field.model.rpartition(".")[2], reference)]


class Migration(migrations.Migration):
    initial = True
    dependencies = [("conversations", "0001_initial")]
    operations = [
        migrations.CreateModel("Dispute", fields(models.ForeignKey(CONVERSATION, models.RESTRICT))),
        migrations.CreateModel("Note", fields(models.ForeignKey(ITEM, models.CASCADE))),
        migrations.CreateModel("Quote", fields(models.ForeignKey(ITEM, models.PROTECT))),
        migrations.CreateModel("Receipt", fields(models.ForeignKey(CONVERSATION, models.DO_NOTHING))),
        migrations.CreateModel("Ticket", fields(models.ForeignKey(CONVERSATION, models.SET_NULL, null=True))),
    ]
