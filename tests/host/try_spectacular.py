"""Describe the project's own API and the app's. A test runs this in a process of its own."""

import json
from io import StringIO

import django

django.setup()

from django.core.management import call_command

call_command("check", deploy=True, fail_level="WARNING")
out = StringIO()
call_command("spectacular", format="openapi-json", validate=True, fail_on_warn=True, stdout=out)
description = json.loads(out.getvalue())

schemas = description["components"]["schemas"]
own = {name for name in schemas if not name.startswith("conversations.")}
assert own == {"Conversation", "PatchedConversation", "RoleEnum", "StatusEnum"}, own
assert schemas["StatusEnum"]["enum"] == ["open", "closed"]

paths = {path for path in description["paths"] if path.startswith("/{tenant}/v1/")}
assert len(paths) == 8, paths
create = description["paths"]["/{tenant}/v1/conversations"]["post"]
assert [each["name"] for each in create["parameters"] if each["in"] == "path"] == ["tenant"]
assert create["operationId"] == "createConversation"
assert {"conversations.bearer": []} in create["security"]
for prefix, security in (("second/v1", "conversations.bearer"), ("site/v1", "cookieAuth")):
    own = {path for path in description["paths"] if path.startswith(f"/{prefix}/")}
    assert {path.removeprefix(f"/{prefix}") for path in own} == {path.removeprefix("/{tenant}/v1") for path in paths}
    other = description["paths"][f"/{prefix}/conversations"]["post"]
    assert other["operationId"] == f"createConversation_{prefix.replace('/', '_')}"
    assert {security: []} in other["security"]
[response] = create["responses"]["200"]["content"].values()
assert response["schema"] == {"$ref": "#/components/schemas/conversations.Conversation"}
