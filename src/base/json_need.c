/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_need.c - typed access to members, with the error text a user can act on.
 *
 * The texts follow Iceberg's own parser ("Cannot parse to an integer value: ..."), which clients
 * show.
 */
#include "base/json.h"

static status_value member(const struct json *object, const char *key, const char *what,
                           struct diag *diag, const struct json **out)
{
    const struct json *value = json_get(object, key);
    if (value == NULL)
        return FAIL(diag, INVALID, "cannot parse %s: missing field %s", what, key);
    *out = value;
    return OK;
}

static status_value wrong_kind(const struct json *value, const char *key, const char *what,
                               const char *wanted, struct diag *diag)
{
    return FAIL(diag, INVALID, "cannot parse %s: field %s must be %s, not %s", what, key, wanted,
                json_kind_name(json_kind_of(value)));
}

status_value json_need_str(const struct json *object, const char *key, const char *what,
                           struct diag *diag, struct str *out)
{
    const struct json *value;
    TRY(member(object, key, what, diag, &value));
    return json_as_str(value, out) ? OK : wrong_kind(value, key, what, "a string", diag);
}

status_value json_need_i64(const struct json *object, const char *key, const char *what,
                           struct diag *diag, int64_t *out)
{
    const struct json *value;
    TRY(member(object, key, what, diag, &value));
    return json_as_i64(value, out) ? OK : wrong_kind(value, key, what, "a 64-bit integer", diag);
}

status_value json_need_i32(const struct json *object, const char *key, const char *what,
                           struct diag *diag, int32_t *out)
{
    const struct json *value;
    TRY(member(object, key, what, diag, &value));
    return json_as_i32(value, out) ? OK : wrong_kind(value, key, what, "a 32-bit integer", diag);
}

status_value json_need_array(const struct json *object, const char *key, const char *what,
                             struct diag *diag, const struct json **out)
{
    const struct json *value;
    TRY(member(object, key, what, diag, &value));
    if (!json_is(value, JSON_ARRAY))
        return wrong_kind(value, key, what, "an array", diag);
    *out = value;
    return OK;
}

status_value json_need_object(const struct json *object, const char *key, const char *what,
                              struct diag *diag, const struct json **out)
{
    const struct json *value;
    TRY(member(object, key, what, diag, &value));
    if (!json_is(value, JSON_OBJECT))
        return wrong_kind(value, key, what, "an object", diag);
    *out = value;
    return OK;
}

status_value json_opt_str(const struct json *object, const char *key, const char *what,
                          struct diag *diag, struct str *out, bool *out_found)
{
    const struct json *value = json_get(object, key);
    *out_found = !json_is_null(value);
    if (!*out_found || json_as_str(value, out))
        return OK;
    return wrong_kind(value, key, what, "a string", diag);
}

status_value json_opt_i64(const struct json *object, const char *key, const char *what,
                          struct diag *diag, int64_t *out, bool *out_found)
{
    const struct json *value = json_get(object, key);
    *out_found = !json_is_null(value);
    if (!*out_found || json_as_i64(value, out))
        return OK;
    return wrong_kind(value, key, what, "a 64-bit integer", diag);
}

status_value json_opt_bool(const struct json *object, const char *key, const char *what,
                           struct diag *diag, bool *out, bool *out_found)
{
    const struct json *value = json_get(object, key);
    *out_found = !json_is_null(value);
    if (!*out_found || json_as_bool(value, out))
        return OK;
    return wrong_kind(value, key, what, "a boolean", diag);
}
