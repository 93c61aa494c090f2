"""Extensions of drf-spectacular that describe the API's views and API keys. Importing this module registers them.

drf-spectacular is an optional package. The app imports this module if `drf_spectacular` is in INSTALLED_APPS.
"""

import re
from typing import Any
from weakref import WeakKeyDictionary

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
from drf_spectacular.hooks import postprocess_schema_enums
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent, is_jsonschema_compliant
from drf_spectacular.settings import spectacular_settings
from rest_framework.views import APIView

from conversations.api.openapi.components import PREFIX, build_components
from conversations.api.openapi.dialects import Schema, protect_enums, to_openapi_3_0, transform
from conversations.api.openapi.operations import operation_of

# The ids of operations in each description that is being made.
_taken_ids: WeakKeyDictionary[ComponentRegistry, set[str]] = WeakKeyDictionary()


class OperationSchema(AutoSchema):
    """Describes an operation by its row in `operations`, because serializers know neither items nor errors."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Schema | None:
        operation = operation_of(type(self.view), self.view.action)  # type: ignore[attr-defined]
        if not operation:  # an action of a subclass
            return super().get_operation(path, path_regex, path_prefix, method, registry)
        self.registry, self.path, self.path_regex = registry, path, path_regex
        self._register_components()
        description = operation.describe()
        parameters = [{**each, "schema": _translate(each["schema"])} for each in description.get("parameters", [])]
        # Your project may include the app's URLs with arguments.
        arguments = set(re.findall(r"{(\w+)}", path)) - {each["name"] for each in parameters}
        parameters = [*self._resolve_path_parameters(sorted(arguments)), *parameters]  # type: ignore[no-untyped-call]
        return {
            **description,
            "operationId": self._unique_id(operation.id),
            **({"parameters": parameters} if parameters else {}),
            "security": self.get_auth(),
        }

    def _unique_id(self, operation_id: str) -> str:
        """Return the id, with the prefix of the URL if your project includes the app's URLs several times."""
        taken_ids = _taken_ids.setdefault(self.registry, set())
        if operation_id in taken_ids:
            prefix = re.sub(r"^(.*)/(?:conversations|conversation_metadata)(?:/.*)?$", r"\1", self.path)
            operation_id = "_".join([operation_id, *re.findall(r"\w+", prefix)])
        taken_ids.add(operation_id)
        return operation_id

    def _register_components(self) -> None:
        if _component("Error") in self.registry:
            return
        for name, schema in build_components().items():
            self.registry.register(_component(name, _translate(schema)))


def _component(name: str, schema: Schema | None = None) -> ResolvedComponent:
    return ResolvedComponent(f"{PREFIX}{name}", ResolvedComponent.SCHEMA, schema, object=name)


def _translate(schema: Schema) -> Schema:
    """Return the schema in the version of OpenAPI that the description has."""
    if not is_jsonschema_compliant():
        schema = transform(schema, to_openapi_3_0)
    if postprocess_schema_enums in spectacular_settings.POSTPROCESSING_HOOKS:
        schema = transform(schema, protect_enums)
    return schema


class ViewExtension(OpenApiViewExtension):
    target_class = "conversations.api.base.OpenAIViewSet"
    match_subclasses = True

    def view_replacement(self) -> type[APIView]:
        """Return the view with its own schema class, whatever your project's `DEFAULT_SCHEMA_CLASS` is."""
        replacement: type[APIView] = type(self.target.__name__, (self.target,), {"schema": OperationSchema()})
        return replacement


class APIKeyExtension(OpenApiAuthenticationExtension):
    """The three places of an API key."""

    target_class = "conversations.api.authentication.APIKeyAuthentication"
    match_subclasses = True
    name = [f"{PREFIX}{name}" for name in ("bearer", "basic", "header")]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Schema]:
        return [
            {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer sk-conv-…`."},
            {"type": "http", "scheme": "basic", "description": "An API key as the password."},
            {"type": "apiKey", "in": "header", "name": "api-key", "description": "An API key, as at Azure."},
        ]
