# SPDX-License-Identifier: Apache-2.0
"""The operations of the OpenAPI file, by the names that a configuration answer uses."""

import functools
import os

import yaml

from harness import ROOT

SPECIFICATION = os.path.join(ROOT, "test", "openapi", "rest-catalog-open-api.yaml")
VERBS = ("get", "post", "delete", "head", "put")


@functools.cache
def specification():
    """The whole file as Python values."""
    with open(SPECIFICATION, encoding="utf-8") as text:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.cache
def operations():
    """{"GET /v1/config": "getConfig", …} for every operation."""
    return {f"{verb.upper()} {path}": item[verb]["operationId"]
            for path, item in specification()["paths"].items() for verb in VERBS if verb in item}


def operation_names():
    """The names that may stand in a configuration's `endpoints`."""
    return set(operations())
