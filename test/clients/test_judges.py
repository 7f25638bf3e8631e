# SPDX-License-Identifier: Apache-2.0
"""The judges judged: the demo's comparison and the OpenAPI contract must be able to say no."""

import functools
import json
import os
import sys

import pyarrow as pa

from harness import ROOT

sys.path.insert(0, os.path.join(ROOT, "test", "openapi"))

import answers  # noqa: E402
import contract as contracts  # noqa: E402
import proxy as proxies  # noqa: E402

TABLE = pa.table({"k": [1, 2, 3], "v": ["a", None, "c"]})


def test_equal_tables_are_equal_in_any_order_and_width(target):
    other = pa.table({"k": pa.array([3, 1, 2], pa.int32()),
                      "v": pa.array(["c", "a", None], pa.large_string())})
    assert answers.difference(other, TABLE, ["k"]) is None


def test_different_tables_are_told_apart(target):
    for other in (TABLE.slice(1), pa.concat_tables([TABLE, TABLE.slice(0, 1)]),
                  TABLE.rename_columns(["k", "w"]), TABLE.select(["k"]),
                  pa.table({"k": [1, 2, 3], "v": ["a", "b", "c"]}),
                  pa.table({"k": [1, 2, 4], "v": ["a", None, "c"]})):
        assert answers.difference(other, TABLE, ["k"]) is not None, other


contract = functools.cache(contracts.Contract)


def exchange(method, path, status, request=b"", answer=b"", kind="application/json"):
    request = request if isinstance(request, bytes) else json.dumps(request).encode()
    answer = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return proxies.Exchange(method, path, {}, request, status, {"Content-Type": kind}, answer)


def test_every_path_finds_its_operation(target):
    for path, wanted in (("/v1/namespaces/a/tables/b", "updateTable"),
                         ("/v1/p/namespaces/a/tables/b", "updateTable"),
                         ("/v1/tables/rename", "renameTable"),
                         ("/v1/p/tables/rename", "renameTable"),
                         ("/v1/transactions/commit", "commitTransaction"),
                         ("/v1/namespaces/a/tables/b/unregister", "unregisterTable"),
                         ("/v1/namespaces", "createNamespace"),
                         ("/v1/p/namespaces/a/properties", "updateProperties")):
        found = contract().match(exchange("POST", path, 200))
        assert found is not None and found.id == wanted, (path, found and found.id)
    assert contract().match(exchange("POST", "/v1/nothing", 200)) is None


def request_problems(path, body):
    said = exchange("POST", path, 200, body)
    return contract().request_problems(contract().match(said), said)


def test_wrong_requests_are_seen(target):
    path = "/v1/namespaces/a/tables/b"
    good = {"requirements": [{"type": "assert-create"}],
            "updates": [{"action": "set-properties", "updates": {"a": "1"}}]}
    assert request_problems(path, good) == []
    for change in ({"updates": [{"action": "no-such-update"}]}, {"updates": None},
                   {"updates": [{"action": "set-properties", "updates": {"a": 1}}]},
                   {"requirements": [{"type": "assert-no-such-thing"}]},
                   {"requirements": [{"type": "assert-current-schema-id"}]},
                   {"requirements": [{}]}):
        assert request_problems(path, {**good, **change}), change
    assert request_problems(path, b"{")
    assert request_problems(path + "?snapshot=all", good), "an unknown query parameter"


def answer_problems(method, path, status, answer, **more):
    said = exchange(method, path, status, b"", answer, **more)
    return contract().answer_problems(contract().match(said), said)


def test_wrong_answers_are_seen(target):
    error = {"error": {"message": "m", "type": "t", "code": 404}}
    assert answer_problems("GET", "/v1/namespaces/a", 404, error) == []
    for status, answer in ((404, {"message": "m", "type": "t", "code": 404}), (404, b""),
                           (404, {**error, "more": 1}), (418, error), (200, {}),
                           (200, {"namespace": "a", "properties": {}})):
        assert answer_problems("GET", "/v1/namespaces/a", status, answer), (status, answer)
    assert answer_problems("GET", "/v1/namespaces/a", 404, error, kind="text/html")
    assert answer_problems("DELETE", "/v1/namespaces/a", 204, b"") == []
    assert answer_problems("DELETE", "/v1/namespaces/a", 204, b"{}")
    assert answer_problems("DELETE", "/v1/namespaces/a", 200, b"{}")
