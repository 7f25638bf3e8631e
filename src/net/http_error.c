/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_error.c - names of methods and codes, and Iceberg's error body
 * (https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml,
 * IcebergErrorResponse).
 */
#include "base/json.h"
#include "net/http.h"

enum { ERROR_BODY_MAX = 64 << 10 };

struct code_row {
    int code;
    const char *reason;
    const char *type;
};

static const struct code_row codes[] = {
    {200, "OK", ""},
    {201, "Created", ""},
    {202, "Accepted", ""},
    {204, "No Content", ""},
    {304, "Not Modified", ""},
    {400, "Bad Request", "BadRequestException"},
    {401, "Unauthorized", "NotAuthorizedException"},
    {403, "Forbidden", "ForbiddenException"},
    {404, "Not Found", "NotFoundException"},
    {405, "Method Not Allowed", "BadRequestException"},
    {406, "Not Acceptable", "UnsupportedOperationException"},
    {408, "Request Timeout", "RequestTimeoutException"},
    {409, "Conflict", "CommitFailedException"},
    {410, "Gone", "NotFoundException"},
    {412, "Precondition Failed", "CommitFailedException"},
    {413, "Content Too Large", "BadRequestException"},
    {414, "URI Too Long", "BadRequestException"},
    {415, "Unsupported Media Type", "UnsupportedOperationException"},
    {417, "Expectation Failed", "BadRequestException"},
    {419, "Authentication Timeout", "AuthenticationTimeoutException"},
    {422, "Unprocessable Content", "UnprocessableEntityException"},
    {429, "Too Many Requests", "TooManyRequestsException"},
    {431, "Request Header Fields Too Large", "BadRequestException"},
    {500, "Internal Server Error", "InternalServerError"},
    {501, "Not Implemented", "UnsupportedOperationException"},
    {502, "Bad Gateway", "InternalServerError"},
    {503, "Service Unavailable", "SlowDownException"},
    {504, "Gateway Timeout", "InternalServerError"},
    {505, "HTTP Version Not Supported", "UnsupportedOperationException"},
};

static const struct code_row *row_of(int code)
{
    for (size_t i = 0; i < COUNTOF(codes); i++) {
        if (codes[i].code == code)
            return &codes[i];
    }
    return NULL;
}

const char *http_reason(int http_code)
{
    const struct code_row *row = row_of(http_code);
    return row == NULL ? "Unknown" : row->reason;
}

const char *http_error_type(int http_code)
{
    const struct code_row *row = row_of(http_code);
    if (row != NULL)
        return row->type;
    return http_code < 500 ? "BadRequestException" : "InternalServerError";
}

const char *http_method_name(enum http_method method)
{
    static const char *const names[] = {
        [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
        [HTTP_METHOD_POST] = "POST",       [HTTP_METHOD_PUT] = "PUT",
        [HTTP_METHOD_PATCH] = "PATCH",     [HTTP_METHOD_DELETE] = "DELETE",
        [HTTP_METHOD_OPTIONS] = "OPTIONS", [HTTP_METHOD_OTHER] = "_OTHER"};
    return names[method];
}

struct str http_error_body(struct arena *arena, int http_code, const char *type,
                           const char *message)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, arena, ERROR_BODY_MAX);
    json_writer_init(&w, &buf);
    jw_object(&w);
    jw_key(&w, "error");
    jw_object(&w);
    jw_key(&w, "message");
    jw_cstr(&w, message);
    jw_key(&w, "type");
    jw_cstr(&w, type);
    jw_key(&w, "code");
    jw_i64(&w, http_code);
    jw_end(&w);
    jw_end(&w);
    return is_ok(buf_finish(&buf, "error body", NULL)) ? buf_view(&buf) : STR("");
}
