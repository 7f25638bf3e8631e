#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Real clients and the OpenAPI file against a node of its own: see test/clients/run.py.

set -eu
TARN_BINARY=$TARN exec "$PYTHON" test/clients/run.py
