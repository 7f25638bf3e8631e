/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * readonly.h - an env that only looks: files are opened for reading, and everything that would
 * change the disk is accepted and not done.
 *
 * Opening a log or a store writes a little (a torn tail is cut, a mark is set); over this env the
 * same code can look at a stopped node's folder without leaving a trace. Locks are real.
 */
#include "env/env.h"

struct readonly_env {
    struct env env; /* first member */
    struct env *real;
};
void readonly_env_init(struct readonly_env *readonly, struct env *real);
