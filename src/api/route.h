/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * route.h - from an HTTP request line to a catalog operation and its decoded names.
 *
 * The raw path is split before anything is decoded, so names may hold slashes and dots. Levels of a
 * namespace are joined by %1F; "+" reads as a space, as Java clients send it. The prefix (a
 * warehouse's name) may be absent, and the roots /api/catalog, /catalog and /iceberg are accepted
 * before /v1.
 */
#include "catalog/catalog.h"
#include "net/http.h"

/*
 * Fills ident, parent and the query's members of `request` too. NOT_FOUND: no such path;
 * METHOD_NOT_ALLOWED: the path exists under another verb; INVALID: a name or parameter cannot be
 * decoded.
 */
status api_route_match(const struct http_exchange *exchange, struct diag *diag,
                       struct catalog_request *request);
