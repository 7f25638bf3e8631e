/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * process_metrics.h - the process_* figures (processor time, memory, file descriptors) from the
 * operating system. Hand it to metrics_on_write(metrics, process_metrics_refresh, NULL).
 */
#include "base/metric.h"

void process_metrics_refresh(struct metrics *metrics, void *context);
