# SPDX-License-Identifier: Apache-2.0
"""The wire protocol in raw HTTP: configuration, routes, names in paths, paging, errors, limits.

Expectations are the specification's; where the specification is silent, tarn's own rules (its error
wrapper everywhere, limits on every input). Tables and views are in test_protocol_tables.py.
"""

import http.client
import json
import socket
import urllib.parse

from harness import Skip, assert_error, reference_differs

MIB = 1024 * 1024


def quote(name):
    return urllib.parse.quote(name, safe="")


def create_namespace(target, levels, **properties):
    return target.v1("POST", "/namespaces", {"namespace": levels, "properties": properties})


# --- configuration ---

def test_config_has_the_required_members(target):
    answer = target.send("GET", "/v1/config")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"].startswith("application/json"), answer.headers
    for member in ("defaults", "overrides"):
        values = answer.json[member]
        assert all(isinstance(v, str) for v in values.values()), values


@reference_differs("lists its token and configuration routes without the leading slash")
def test_config_endpoints_are_operations_of_the_specification(target):
    import openapi_file as openapi
    known = openapi.operation_names()
    assert target.endpoints(), "no endpoints: Java clients would assume an old set"
    assert target.endpoints() <= known, target.endpoints() - known


@reference_differs("does not advertise a lifetime by default")
def test_config_advertises_the_idempotency_lifetime_at_the_top(target):
    config = target.config
    assert config["idempotency-key-lifetime"].startswith("P"), config
    assert "idempotency-key-lifetime" not in {**config["defaults"], **config["overrides"]}


@reference_differs("has one catalog and ignores the parameter")
def test_config_of_an_unknown_warehouse(target):
    answer = target.send("GET", "/v1/config?warehouse=no-such-warehouse")
    assert_error(answer, 404, "NoSuchWarehouseException")


# --- routes ---

def test_routes_without_and_with_a_prefix(target):
    name = target.namespace()
    assert target.send("GET", f"/v1/namespaces/{name}").status == 200
    if target.reference:
        return
    prefix = target.prefix or "/" + (target.warehouse or "lake")
    assert target.send("GET", f"/v1{prefix}/namespaces/{name}").status == 200


@reference_differs("serves one root only")
def test_routes_under_the_alias_roots(target):
    name = target.namespace()
    for root in ("/api/catalog", "/catalog", "/iceberg"):
        assert target.send("GET", f"{root}/v1/config").status == 200, root
        answer = target.send("GET", f"{root}/v1{target.prefix}/namespaces/{name}")
        assert answer.status == 200 and answer.json["namespace"] == [name], (root, answer)


@reference_differs("answers 400 for a route it does not have")
def test_unknown_routes_have_the_error_wrapper(target):
    for path in ("/v1/nothing/here/at/all/x", "/v2/namespaces", "/nowhere"):
        assert_error(target.send("GET", path), 404)


@reference_differs("answers 400 for a method that a route does not have")
def test_wrong_methods_have_the_error_wrapper(target):
    assert_error(target.v1("PATCH", "/namespaces", {}), 405)
    assert_error(target.send("DELETE", "/v1/config"), 405)


def test_keep_alive_serves_many_requests_on_one_connection(target):
    connection = http.client.HTTPConnection(target.address, timeout=10)
    connection.connect()
    first = connection.sock
    for _ in range(20):
        connection.request("GET", target.root + "/v1/config")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
        assert connection.sock is first, "the server closed the connection"
    connection.close()


def test_pipelined_requests_are_answered_in_order(target):
    name = target.namespace()
    host, port = target.address.split(":")
    request = "".join(
        f"GET {target.root}/v1{target.prefix}/namespaces/{n} HTTP/1.1\r\nHost: x\r\n{more}\r\n"
        for n, more in ((name, ""), ("missing_ns", ""), (name, "Connection: close\r\n")))
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(request.encode())
        received = b""
        while chunk := raw.recv(65536):
            received += chunk
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 404, 200], statuses


def test_chunked_request_bodies_are_read(target):
    name = target.name()
    body = json.dumps({"namespace": [name], "properties": {}}).encode()
    connection = http.client.HTTPConnection(target.address, timeout=10)
    connection.request("POST", f"{target.root}/v1{target.prefix}/namespaces",
                       body=iter([body[:5], body[5:]]), encode_chunked=True,
                       headers={"Content-Type": "application/json",
                                "Transfer-Encoding": "chunked"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()
    assert target.v1("HEAD", f"/namespaces/{name}").status == 204


def test_expect_100_continue(target):
    name = target.name()
    body = json.dumps({"namespace": [name], "properties": {}}).encode()
    host, port = target.address.split(":")
    head = (f"POST {target.root}/v1{target.prefix}/namespaces HTTP/1.1\r\nHost: x\r\n"
            "Content-Type: application/json\r\nExpect: 100-continue\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(head.encode())
        assert raw.recv(1024).startswith(b"HTTP/1.1 100"), "no interim answer"
        raw.sendall(body)
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")


# --- namespaces ---

def test_namespace_life(target):
    name = target.name()
    answer = create_namespace(target, [name], owner="ann")
    assert answer.status == 200 and answer.json["namespace"] == [name], answer
    assert answer.json["properties"]["owner"] == "ann", answer
    path = f"/namespaces/{name}"
    head = target.v1("HEAD", path)
    assert (head.status, head.body) == (204, b""), head
    loaded = target.v1("GET", path).json
    assert loaded["namespace"] == [name] and loaded["properties"]["owner"] == "ann", loaded
    gone = target.v1("DELETE", path)
    assert (gone.status, gone.body) == (204, b""), gone
    assert target.v1("HEAD", path).status == 404
    assert_error(target.v1("GET", path), 404, "NoSuchNamespaceException",
                 f"Namespace does not exist: {name}")
    assert_error(target.v1("DELETE", path), 404, "NoSuchNamespaceException")


def test_head_of_something_missing_has_no_body(target):
    name = target.namespace()
    for path in ("/namespaces/missing_ns", f"/namespaces/{name}/tables/t"):
        answer = target.v1("HEAD", path)
        assert (answer.status, answer.body) == (404, b""), answer


def test_creating_a_namespace_twice(target):
    name = target.namespace()
    assert_error(create_namespace(target, [name]), 409, "AlreadyExistsException",
                 f"Namespace already exists: {name}")


def test_dropping_a_namespace_with_a_table(target):
    name = target.namespace()
    target.table(name)
    assert_error(target.v1("DELETE", f"/namespaces/{name}"), 409, "NamespaceNotEmptyException",
                 "is not empty")


def test_dropping_a_namespace_with_a_child(target):
    name = target.namespace()
    assert create_namespace(target, [name, "child"]).status == 200
    assert_error(target.v1("DELETE", f"/namespaces/{name}"), 409, "NamespaceNotEmptyException")


def test_namespace_properties(target):
    name = target.name()
    create_namespace(target, [name], a="1", b="2")
    path = f"/namespaces/{name}/properties"
    answer = target.v1("POST", path, {"removals": ["a", "zzz"], "updates": {"b": "3", "c": "4"}})
    assert answer.status == 200, answer
    assert sorted(answer.json["updated"]) == ["b", "c"], answer
    assert answer.json["removed"] == ["a"] and answer.json["missing"] == ["zzz"], answer
    properties = target.v1("GET", f"/namespaces/{name}").json["properties"]
    assert (properties["b"], properties["c"], "a" in properties) == ("3", "4", False), properties
    assert_error(target.v1("POST", path, {"removals": ["b"], "updates": {"b": "5"}}), 422,
                 "UnprocessableEntityException")
    assert_error(target.v1("POST", "/namespaces/missing_ns/properties", {"removals": ["x"]}), 404,
                 "NoSuchNamespaceException")


def test_the_last_property_can_be_removed(target):
    name = target.name()
    create_namespace(target, [name], only="1")
    target.v1("POST", f"/namespaces/{name}/properties", {"removals": ["only"]})
    assert "only" not in target.v1("GET", f"/namespaces/{name}").json["properties"]


def test_nested_namespaces_list_direct_children_only(target):
    name = target.namespace()
    for levels in ([name, "a"], [name, "a", "deep"], [name, "b"]):
        assert create_namespace(target, levels).status == 200, levels
    children = target.v1("GET", f"/namespaces?parent={name}").json["namespaces"]
    assert sorted(children) == [[name, "a"], [name, "b"]], children
    deeper = target.v1("GET", f"/namespaces?parent={target.joined(name, 'a')}").json["namespaces"]
    assert deeper == [[name, "a", "deep"]], deeper
    top = target.v1("GET", "/namespaces").json["namespaces"]
    assert [name] in top and all(len(levels) == 1 for levels in top), top
    path = f"/namespaces/{target.joined(name, 'a', 'deep')}"
    assert target.v1("GET", path).json["namespace"] == [name, "a", "deep"]
    assert_error(target.v1("GET", "/namespaces?parent=missing_ns"), 404,
                 "NoSuchNamespaceException")


@reference_differs("its servlet container refuses encoded control characters")
def test_the_unit_separator_is_always_understood(target):
    name = target.namespace()
    for levels in ([name, "a"], [name, "a", "b"]):
        assert create_namespace(target, levels).status == 200, levels
    assert target.v1("GET", f"/namespaces/{name}%1Fa%1Fb").json["namespace"] == [name, "a", "b"]
    assert target.v1("GET", f"/namespaces/{name}%1fa%1fb").json["namespace"] == [name, "a", "b"]
    children = target.v1("GET", f"/namespaces?parent={name}%1Fa").json["namespaces"]
    assert children == [[name, "a", "b"]], children


@reference_differs("takes an empty parent for a namespace with an empty name")
def test_an_empty_parent_means_the_root(target):
    name = target.namespace()
    answer = target.v1("GET", "/namespaces?parent=")
    assert answer.status == 200 and [name] in answer.json["namespaces"], answer


def check_odd_name(target, odd):
    name = target.name() + odd
    answer = create_namespace(target, [name])
    assert answer.status == 200 and answer.json["namespace"] == [name], answer
    path = f"/namespaces/{quote(name)}"
    assert target.v1("HEAD", path).status == 204, path
    assert target.v1("GET", path).json["namespace"] == [name]
    assert [name] in target.v1("GET", "/namespaces").json["namespaces"]
    table = "tab" + odd
    target.table(quote(name), table)
    listed = target.v1("GET", path + "/tables").json["identifiers"]
    assert listed == [{"namespace": [name], "name": table}], listed
    assert target.v1("HEAD", f"{path}/tables/{quote(table)}").status == 204
    assert target.v1("DELETE", f"{path}/tables/{quote(table)}").status == 204
    assert target.v1("DELETE", path).status == 204


def test_names_with_spaces_and_unicode(target):
    for odd in (" a b", "-ünïcödé-湖", "'\"`&=~"):
        check_odd_name(target, odd)


@reference_differs("its servlet container refuses encoded slashes, its separator is the dot")
def test_names_with_slashes_dots_and_percents(target):
    for odd in ("/a/b", ".a.b", "%41", "a+b", "#?;:@"):
        check_odd_name(target, odd)


def test_plus_in_a_path_is_a_space(target):
    name = target.name() + " x"
    assert create_namespace(target, [name]).status == 200
    assert target.v1("GET", f"/namespaces/{name.replace(' ', '+')}").json["namespace"] == [name]
    assert target.v1("GET", f"/namespaces/{name.replace(' ', '%20')}").json["namespace"] == [name]


@reference_differs("accepts namespaces without levels or with empty ones")
def test_bad_namespace_names_are_refused(target):
    for levels in ([], [""], ["a", ""], [1], "text", None):
        assert_error(target.v1("POST", "/namespaces", {"namespace": levels}), 400)


def test_broken_percent_encoding_is_refused(target):
    for path in ("/namespaces/%zz", "/namespaces/a%4", "/namespaces/%ff%fe"):
        answer = target.v1("GET", path)
        assert answer.status in (400, 404), answer


# --- paging ---

def pages(target, path, size):
    """Walks a paged list; returns the list of pages."""
    member = "namespaces" if path.split("?")[0].endswith("/namespaces") else "identifiers"
    walked, token = [], ""
    while token is not None:
        mark = "&" if "?" in path else "?"
        answer = target.v1("GET", f"{path}{mark}pageToken={quote(token)}&pageSize={size}")
        assert answer.status == 200, answer
        walked.append(answer.json[member])
        token = answer.json.get("next-page-token")
        assert len(walked) < 100, "paging does not end"
    return walked


def check_paging(target, path, count):
    member = "namespaces" if path.split("?")[0].endswith("/namespaces") else "identifiers"
    answer = target.v1("GET", path)
    assert len(answer.json[member]) == count, answer
    assert answer.json.get("next-page-token") is None, answer
    whole = answer.json[member]
    walked = pages(target, path, 2)
    assert all(len(page) <= 2 for page in walked), walked
    flat = [item for page in walked for item in page]
    assert len(flat) == count and sorted(map(str, flat)) == sorted(map(str, whole)), walked
    assert len(pages(target, path, 1000)) == 1


def test_paging_of_tables(target):
    name = target.namespace()
    for number in range(5):
        target.table(name, f"t{number}")
    check_paging(target, f"/namespaces/{name}/tables", 5)


def test_paging_of_views(target):
    if "GET /v1/{prefix}/namespaces/{namespace}/views" not in target.endpoints():
        raise Skip("no views")
    from test_protocol_tables import create_view
    name = target.namespace()
    for number in range(5):
        create_view(target, name, f"v{number}")
    check_paging(target, f"/namespaces/{name}/views", 5)


def test_paging_of_namespaces(target):
    name = target.namespace()
    for number in range(5):
        assert create_namespace(target, [name, f"n{number}"]).status == 200
    check_paging(target, f"/namespaces?parent={name}", 5)


@reference_differs("pages a client that sent a size and no token")
def test_a_client_that_sends_no_token_gets_everything(target):
    name = target.namespace()
    for number in range(5):
        target.table(name, f"t{number}")
        assert create_namespace(target, [name, f"n{number}"]).status == 200
    for path, member in ((f"/namespaces/{name}/tables?", "identifiers"),
                         (f"/namespaces?parent={name}&", "namespaces")):
        answer = target.v1("GET", f"{path}pageSize=2")
        assert len(answer.json[member]) == 5, answer
        assert answer.json.get("next-page-token") is None, answer


def test_paging_of_an_empty_list(target):
    name = target.namespace()
    assert pages(target, f"/namespaces/{name}/tables", 2) == [[]]


def test_pages_stay_whole_while_tables_come_and_go(target):
    """A table that exists throughout is seen exactly once, whatever changes beside it."""
    if target.reference:
        raise Skip("its tokens are offsets")
    name = target.namespace()
    stay = [f"t{number:02}" for number in range(0, 20, 2)]
    for table in stay:
        target.table(name, table)
    seen, token, step = [], "", 0
    while token is not None:
        answer = target.v1("GET", f"/namespaces/{name}/tables?pageToken={quote(token)}&pageSize=3")
        seen += [item["name"] for item in answer.json["identifiers"]]
        token = answer.json.get("next-page-token")
        target.table(name, f"a{step}")
        target.v1("DELETE", f"/namespaces/{name}/tables/a{step - 1}")
        step += 1
    assert [table for table in seen if table in stay] == stay, seen


@reference_differs("reads the token as a number and fails with 500 or ignores it")
def test_bad_paging_parameters_are_refused(target):
    name = target.namespace()
    target.table(name)
    for query in ("pageToken=&pageSize=0", "pageToken=&pageSize=-1", "pageToken=&pageSize=x",
                  "pageToken=not-a-token-of-ours&pageSize=2"):
        assert_error(target.v1("GET", f"/namespaces/{name}/tables?{query}"), 400)


# --- bodies and limits ---

@reference_differs("answers 500 or takes what is not valid")
def test_malformed_json_is_refused(target):
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"{} trailing", b"{'namespace':['a']}",
                 b'{"namespace":["\xff\xfe"]}', b'{"namespace":["a\x01"]}',
                 b'{"namespace":["\\ud800"]}', b'{"namespace":["a"],}'):
        assert_error(target.v1("POST", "/namespaces", body), 400)


@reference_differs("keeps the last of two equal keys")
def test_duplicate_keys_are_refused(target):
    name = target.name()
    body = f'{{"namespace":["{name}"],"namespace":["{name}x"]}}'.encode()
    assert_error(target.v1("POST", "/namespaces", body), 400)
    assert target.v1("HEAD", f"/namespaces/{name}x").status == 404


@reference_differs("has no limit on nesting that it reports as an error of the client")
def test_deep_json_is_refused(target):
    body = b'{"namespace":["a"],"properties":' + b'{"a":' * 5000 + b"1" + b"}" * 5001
    assert_error(target.v1("POST", "/namespaces", body), 400)


@reference_differs("has no limit on bodies")
def test_a_body_over_the_limit_is_refused(target):
    host, port = target.address.split(":")
    head = (f"POST {target.root}/v1{target.prefix}/namespaces HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: application/json\r\nContent-Length: {1024 * MIB}\r\n\r\n")
    with socket.create_connection((host, int(port)), timeout=3) as raw:
        raw.sendall(head.encode())
        answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]


def test_a_body_under_the_limit_is_taken(target):
    """8 MiB in one request, as a commit of many files' statistics may have."""
    name = target.namespace()
    updates = {f"k{number}": "x" * 1024 * 1024 for number in range(8)}
    answer = target.v1("POST", f"/namespaces/{name}/properties", {"updates": updates})
    assert answer.status == 200, answer


@reference_differs("answers with its container's own page")
def test_headers_over_the_limit_are_refused(target):
    answer = target.send("GET", "/v1/config", headers={"X-Large": "x" * 100_000})
    assert answer.status == 431, answer
    assert answer.json["error"]["code"] == 431


def test_conflicting_lengths_are_refused(target):
    host, port = target.address.split(":")
    head = (f"POST {target.root}/v1{target.prefix}/namespaces HTTP/1.1\r\nHost: x\r\n"
            "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(head.encode())
        answer = raw.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400") or answer == b"", answer[:200]


def test_garbage_instead_of_http_does_not_hurt(target):
    host, port = target.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)))
        raw.settimeout(5)
        try:
            raw.recv(65536)
        except (TimeoutError, ConnectionError):
            pass
    assert target.send("GET", "/v1/config").status == 200
