# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI file as a judge of recorded exchanges.

An exchange is matched to its operation by method and path (with or without a prefix), then its query,
its request body, its status and its answer are validated with JSON Schema 2020-12. Three things in
the file need help before a validator can use it (see README.md): `nullable`, which is from an older
OpenAPI; discriminators on a base schema, which say what to choose but are no part of JSON Schema; and
a few places where the file is narrower than the table specification and every known writer.
"""

import functools
import gzip
import json
import os
import re
import urllib.parse

import jsonschema
import referencing
import referencing.jsonschema
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "rest-catalog-open-api.yaml")
VERBS = ("get", "post", "delete", "head", "put")
DOCUMENT = "urn:tarn:openapi"

# Schemas of the file that are widened, with the reason.
WIDENED = {
    # Iceberg's own writer puts null into metadata of format version 3 without a snapshot.
    "TableMetadata": {"current-snapshot-id": ["integer", "null"]},
}

# Alternatives that overlap: the number 5 is an int, a long and a double at once.
OVERLAPPING = ("PrimitiveTypeValue",)

# Answers that any server may give on any path, before an operation is even known.
GENERAL = {413, 415, 429, 431}


def _nullable(node):
    """`nullable: true` as a type that includes null."""
    if isinstance(node, dict):
        if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        for value in node.values():
            _nullable(value)
    elif isinstance(node, list):
        for value in node:
            _nullable(value)


def _bases(schemas):
    """Base schemas with a discriminator and no list of alternatives: name -> discriminator."""
    return {name: schema["discriminator"] for name, schema in schemas.items()
            if "mapping" in schema.get("discriminator", {})
            and not {"oneOf", "anyOf"} & schema.keys()}


def _dispatcher(discriminator):
    """A schema that looks at the discriminator's value and demands the schema it maps to."""
    key, mapping = discriminator["propertyName"], discriminator["mapping"]
    return {"type": "object", "required": [key],
            "properties": {key: {"enum": sorted(mapping)}},
            "allOf": [{"if": {"properties": {key: {"const": value}}, "required": [key]},
                       "then": {"$ref": target}} for value, target in mapping.items()]}


def _redirect(node, targets, in_all_of=False):
    """Lets references to a base schema go to its dispatcher, except where a schema extends it."""
    if isinstance(node, dict):
        reference = node.get("$ref")
        if reference in targets and not in_all_of:
            node["$ref"] = targets[reference]
        for key, value in node.items():
            _redirect(value, targets, in_all_of=key == "allOf")
    elif isinstance(node, list):
        for value in node:
            _redirect(value, targets, in_all_of)


def _statuses_as_text(document):
    """YAML reads the keys of `responses` as numbers; JSON pointers need text."""
    for item in document["paths"].values():
        for verb in VERBS:
            if verb in item:
                responses = item[verb]["responses"]
                item[verb]["responses"] = {str(key): value for key, value in responses.items()}


def _prepare(document):
    schemas = document["components"]["schemas"]
    _statuses_as_text(document)
    _nullable(document)
    for name, members in WIDENED.items():
        for member, kind in members.items():
            schemas[name]["properties"][member]["type"] = kind
    for name in OVERLAPPING:
        schemas[name]["anyOf"] = schemas[name].pop("oneOf")
    bases = _bases(schemas)
    targets = {f"#/components/schemas/{name}": f"#/components/schemas/{name}.chosen"
               for name in bases}
    _redirect(document, targets)
    for name, discriminator in bases.items():
        schemas[f"{name}.chosen"] = _dispatcher(discriminator)
    return document


def _pattern(path):
    """A regular expression for a templated path; the prefix may be left out, as clients do."""
    parts = [re.escape(part) if not part.startswith("{") else "[^/]+"
             for part in path.replace("/{prefix}", "").strip("/").split("/")]
    with_prefix = "(?:/[^/]+)?" if "{prefix}" in path else ""
    return re.compile("^/" + parts[0] + with_prefix + "".join("/" + p for p in parts[1:]) + "$")


class Operation:
    """One operation of the file."""

    def __init__(self, verb, path, node, common):
        self.verb, self.path, self.node = verb.upper(), path, node
        self.id = node["operationId"]
        self.name = f"{self.verb} {path}"
        self.pattern = _pattern(path)
        self.parameters = common + node.get("parameters", [])
        self.pointer = f"/paths/{path.replace('~', '~0').replace('/', '~1')}/{verb}"

    @property
    def literal(self):
        """How many fixed segments the path has: the more, the better a match."""
        return sum(not part.startswith("{") for part in self.path.split("/"))


class Contract:
    """The prepared file."""

    def __init__(self, path=FILE):
        with open(path, encoding="utf-8") as text:
            document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.document = _prepare(document)
        resource = referencing.Resource.from_contents(
            self.document, default_specification=referencing.jsonschema.DRAFT202012)
        self.registry = referencing.Registry().with_resource(DOCUMENT, resource)
        self.operations = [
            Operation(verb, path, item[verb], item.get("parameters", []))
            for path, item in self.document["paths"].items() for verb in VERBS if verb in item]

    def match(self, exchange):
        """The operation of an exchange, or None."""
        path = urllib.parse.urlsplit(exchange.path).path
        found = [o for o in self.operations
                 if o.verb == exchange.method and o.pattern.match(path)]
        return max(found, key=lambda o: o.literal, default=None)

    def _follow(self, pointer):
        """(pointer, node) with references followed, so that the pointer names the real place."""
        node = self.document
        for part in pointer.strip("/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
            if isinstance(node, dict) and set(node) == {"$ref"}:
                return self._follow(node["$ref"][1:])
        return pointer, node

    @functools.lru_cache(maxsize=None)
    def _validator(self, pointer):
        schema = {"$ref": f"{DOCUMENT}#{urllib.parse.quote(pointer, safe='/~')}"}
        return jsonschema.Draft202012Validator(schema, registry=self.registry)

    def _validate(self, pointer, value, what):
        found = sorted(self._validator(pointer).iter_errors(value), key=lambda e: len(e.path))
        return [f"{what}: {_explain(error)}" for error in found[:3]]

    def request_problems(self, operation, exchange):
        """What is wrong with the request, as sentences."""
        problems = self._query_problems(operation, exchange)
        if "requestBody" not in operation.node:
            return problems
        pointer, node = self._follow(operation.pointer + "/requestBody")
        kind = next(iter(node["content"]))
        try:
            value = _decode(exchange.request_body, kind)
        except (ValueError, RecursionError) as error:
            return problems + [f"request body: {error}"]
        where = f"{pointer}/content/{kind.replace('/', '~1')}/schema"
        return problems + self._validate(where, value, "request body")

    def _query_problems(self, operation, exchange):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(exchange.path).query,
                                      keep_blank_values=True)
        known = {}
        for parameter in operation.parameters:
            if "$ref" in parameter:
                _, parameter = self._follow(parameter["$ref"][1:])
            if parameter["in"] == "query":
                known[parameter["name"]] = parameter
        unknown = set(query) - set(known)
        return [f"query: '{name}' is no parameter of {operation.id}" for name in sorted(unknown)]

    def answer_problems(self, operation, exchange):
        """What is wrong with the answer, as sentences."""
        if exchange.method == "HEAD" or exchange.status in (204, 304):
            problems = [] if not exchange.body else [f"a body with status {exchange.status}"]
            return problems + self._status_problems(operation, exchange.status)
        problems = self._status_problems(operation, exchange.status)
        named = (value for name, value in exchange.headers.items()
                 if name.lower() == "content-type")
        kind = next(named, "").split(";")[0].strip()
        try:
            value = json.loads(_unpack(exchange))
        except ValueError as error:
            return problems + [f"answer {exchange.status} is no JSON ({error})"]
        if kind != "application/json":
            problems.append(f"answer {exchange.status} has the content type '{kind}'")
        pointer = self._answer_pointer(operation, exchange.status)
        if pointer is None:
            return problems
        return problems + self._validate(pointer, value, f"answer {exchange.status}")

    def _status_problems(self, operation, status):
        listed = operation.node["responses"]
        if str(status) in listed or f"{status // 100}XX" in listed or status in GENERAL:
            return []
        return [f"status {status} is not in the file"]

    def _answer_pointer(self, operation, status):
        """Errors are wrapped everywhere: a client parses nothing else (see README.md)."""
        if status >= 400 and operation.id != "getToken":
            return "/components/schemas/IcebergErrorResponse"
        if str(status) not in operation.node["responses"]:
            return None
        pointer, node = self._follow(f"{operation.pointer}/responses/{status}")
        return f"{pointer}/content/application~1json/schema" if "content" in node else None


def _unpack(exchange):
    packed = exchange.headers.get("Content-Encoding", "") == "gzip"
    return gzip.decompress(exchange.body) if packed else exchange.body


def _decode(body, kind):
    if kind == "application/x-www-form-urlencoded":
        return dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
    return json.loads(body)


def _explain(error):
    """The deepest reason of a failed alternative, with where it is."""
    best = jsonschema.exceptions.best_match([error]) or error
    where = "/".join(str(part) for part in best.absolute_path) or "(top)"
    return f"at {where}: {best.message[:300]}"


