"""Every list of every service is a page: `items`, `next_cursor`, and the parameters `limit` and `cursor`. A route whose
reply is a bare array, or a list without an end, fails here."""

from collections.abc import Iterator
from typing import Any

import pytest

from services.embedded import PARTS
from shared.runtime import Runtime

# Sums by a code of ours: as many items as there are codes, however much is stored.
SUMS = {
    "/cases/v1/referrals/counts": "one item a rule of referral",
    "/cases/v1/payments/totals": "one item a currency",
    "/visits/v1/decisions/counts": "one item a rule of law, step and verdict",
    "/audit/v1/logs/{log_id}/counts": "one item an event type",
}


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The OpenAPI document of each service."""
    data = tmp_path_factory.mktemp("lists")
    return {
        name: part.create_app(Runtime(part.service, part.settings(data_dir=data / name))).openapi()
        for name, part in PARTS.items()
    }


def replies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Path, operation and schema of each good reply of a GET in JSON."""
    for path, operations in document["paths"].items():
        operation = operations.get("get", {"responses": {}})
        for status, reply in operation["responses"].items():
            schema = reply.get("content", {}).get("application/json", {}).get("schema")
            if status.startswith("2") and schema is not None:
                yield path, operation, resolved(document, schema)


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


@pytest.mark.parametrize("service", sorted(PARTS))
def test_every_list_is_a_page(documents: dict[str, dict[str, Any]], service: str) -> None:
    document = documents[service]
    wrong, lists = [], 0
    for path, operation, schema in replies(document):
        fields = schema.get("properties", {})
        if "items" in fields and path not in SUMS:
            lists += 1
            parameters = {each["name"] for each in operation.get("parameters", ())}
            if "next_cursor" not in fields or not parameters >= {"limit", "cursor"}:
                wrong.append(f"{path}: a list without pages")
    assert wrong == []
    assert lists >= 2  # its parked events and at least one list of its own


def test_the_exceptions_exist(documents: dict[str, dict[str, Any]]) -> None:
    found = [(path, schema) for each in documents.values() for path, _, schema in replies(each)]
    lists = {path for path, schema in found if "items" in schema.get("properties", ())}
    assert lists >= SUMS.keys()


def test_no_route_answers_a_bare_array(documents: dict[str, dict[str, Any]]) -> None:
    for document in documents.values():
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                for reply in operation["responses"].values():
                    schema = reply.get("content", {}).get("application/json", {}).get("schema", {})
                    assert resolved(document, schema).get("type") != "array", f"{method} {path}"
