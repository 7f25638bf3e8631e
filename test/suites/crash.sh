#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# kill -9, power cuts, full disks and limits of a whole server: see docs/durability.md.

set -eu
TARN_BINARY=$TARN exec test/crash/run
