# ruff: noqa: DJ008 - these rows are never displayed
from django.db import models


class Note(models.Model):
    item = models.ForeignKey("conversations.Item", models.CASCADE)


class Quote(models.Model):
    item = models.ForeignKey("conversations.Item", models.PROTECT)


class Ticket(models.Model):
    conversation = models.ForeignKey("conversations.Conversation", models.SET_NULL, null=True)


class Receipt(models.Model):
    conversation = models.ForeignKey("conversations.Conversation", models.DO_NOTHING)


class Dispute(models.Model):
    conversation = models.ForeignKey("conversations.Conversation", models.RESTRICT)
