"""Environments in which shell commands and code run."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field

from conversations.schema.items.types import JSONObject, NonEmptyText, OneOf, Open

MemoryLimit = Open[Literal["1g", "4g", "16g", "64g"]]
FileIDs = Annotated[list[str], Field(max_length=50)]


class NetworkDisabled(JSONObject):
    type: Literal["disabled"]


class DomainSecret(JSONObject):
    domain: NonEmptyText
    name: NonEmptyText
    value: Annotated[str, Field(min_length=1, max_length=10_485_760)]


class NetworkAllowlist(JSONObject):
    type: Literal["allowlist"]
    allowed_domains: Annotated[list[str], Field(min_length=1)]
    domain_secrets: NotRequired[Annotated[list[DomainSecret], Field(min_length=1)]]


NetworkPolicy = Annotated[NetworkDisabled | NetworkAllowlist, OneOf(is_open=True)]


class SkillReference(JSONObject):
    type: Literal["skill_reference"]
    skill_id: Annotated[str, Field(min_length=1, max_length=64)]
    version: NotRequired[str]


class InlineSkillSource(JSONObject):
    type: Literal["base64"]
    data: Annotated[str, Field(min_length=1, max_length=70_254_592)]
    media_type: Open[Literal["application/zip"]]


class InlineSkill(JSONObject):
    type: Literal["inline"]
    description: str
    name: str
    source: InlineSkillSource


class LocalSkill(JSONObject):
    description: str
    name: str
    path: str


class AutomaticContainer(JSONObject):
    type: Literal["container_auto"]
    file_ids: NotRequired[FileIDs]
    memory_limit: NotRequired[MemoryLimit | None]
    network_policy: NotRequired[NetworkPolicy]
    skills: NotRequired[
        Annotated[list[Annotated[SkillReference | InlineSkill, OneOf(is_open=True)]], Field(max_length=200)]
    ]


class CodeInterpreterContainer(JSONObject):
    type: Literal["auto"]
    file_ids: NotRequired[FileIDs]
    memory_limit: NotRequired[MemoryLimit | None]
    network_policy: NotRequired[NetworkPolicy]


class LocalEnvironment(JSONObject):
    type: Literal["local"]
    skills: NotRequired[Annotated[list[LocalSkill], Field(max_length=200)]]


class ContainerReference(JSONObject):
    type: Literal["container_reference"]
    container_id: str
