"""The URLs that describe the service's API."""

import gc

import pytest
from django.test import Client

from project.openapi import build_description
from tests.admin_pages import CONTENT_SECURITY_POLICY


@pytest.fixture
def frozen():
    """Keep the modules of the process from the garbage collector, as the server does."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_description_needs_no_key_and_no_database(client):
    response = client.get("/v1/openapi.json")
    assert (response.status_code, response["content-type"]) == (200, "application/json")
    assert response.json()["openapi"] == "3.1.0"
    assert response["x-request-id"].startswith("req_")


def test_description_is_built_once(client):
    build_description.cache_clear()
    assert client.get("/v1/openapi.json").content == client.get("/v1/openapi.json").content
    assert build_description.cache_info().misses == 1


def test_garbage_collector_does_not_scan_what_the_description_leaves_in_memory(client, frozen):
    build_description.cache_clear()
    before = gc.get_freeze_count()
    client.get("/v1/openapi.json")
    assert gc.get_freeze_count() > before


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_not_allowed(client, method):
    response = client.generic(method, "/v1/openapi.json")
    assert (response.status_code, response["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert response.json()["error"]["message"].startswith(f"Not allowed to {method} on /v1/openapi.json.")
    assert client.generic(method, "/v1/docs").status_code == 405


def test_documentation_page_has_the_content_security_policy_and_no_inline_scripts(client):
    response = client.get("/v1/docs")
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    html = response.content.decode()
    assert 'data-url="/v1/openapi.json"' in html
    assert html.count("<script") == html.count('<script src="/static/') == 2
    assert "style=" not in html


@pytest.mark.parametrize("path", ["/v1/docs/", "/v1/openapi.yaml", "/v1/openapi.json/"])
def test_similar_urls_are_invalid(client, path):
    response = client.get(path)
    assert (response.status_code, response.json()["error"]["message"]) == (404, f"Invalid URL (GET {path})")


def test_unknown_host_gets_no_description():
    response = Client(headers={"host": "elsewhere.example"}).get("/v1/openapi.json")
    assert response.status_code == 400
    assert "elsewhere.example" in response.json()["error"]["message"]
