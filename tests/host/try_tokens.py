"""Authenticate with credentials other than API keys. A test runs this in a process of its own."""

from base64 import b64encode

import django

django.setup()

from django.core.management import call_command
from django.test import Client
from rest_framework.authtoken.models import Token

from conversations.models import APIKey, Conversation
from tests.host.people.models import Person

call_command("migrate", run_syncdb=True, verbosity=0)
ann = Person(email="ann@example.com")
ann.set_password("secret")
ann.save()
ben = Person.objects.create(email="ben@example.com")
token = Token.objects.create(user=ben)
_, secret = APIKey.create(user=ann)


URL = "/ai/openai/v1/conversations"


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


for header, owner in (
    (f"Bearer {secret}", ann),
    (f"Bearer {token.key}", ben),
    (basic("ann@example.com:secret"), ann),
    (basic(f":{secret}"), ann),
):
    response = Client(headers={"authorization": header}).generic("POST", URL)
    assert response.status_code == 200, (header, response.content)
    assert Conversation.objects.get(pk=response.json()["id"]).owner == owner

wrong_key = (
    "sk-conv-**********************wxyz. You can find your API key at https://platform.openai.com/account/api-keys."
)
for header, message, code in (
    (
        "Bearer sk-conv-abcdefghijklmnopqrstuvwxyz",
        f"Incorrect API key provided: {wrong_key}",
        "invalid_api_key",
    ),
    ("Bearer eyJhbGciOiJIUzI1NiJ9", "Given token not valid for any token type", "token_not_valid"),
    (basic("ann@example.com:wrong"), "Invalid username/password.", "authentication_failed"),
    ("", "Missing bearer or basic authentication in header", None),
):
    response = Client(headers={"authorization": header}).generic("POST", URL)
    assert response.status_code == 401, (header, response.content)
    error = response.json()["error"]
    assert (error["message"], error["code"]) == (message, code)
    assert response["WWW-Authenticate"] == 'Bearer realm="OpenAI API"'
