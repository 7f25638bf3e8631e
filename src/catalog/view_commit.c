/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_commit.c - create, replace, respond, drop.
 *
 * A change that changes nothing answers with the view as it is and makes no version. Every other
 * one makes one metadata version: rows, an outbox row, and the file name that the answer carries.
 */
#include "catalog/view_internal.h"

status_value view__answer(const struct catalog__place *place, uint64_t id,
                          struct str metadata_location, bool with_config,
                          struct catalog_response *out)
{
    out->http = 200;
    out->body = CATALOG_BODY_VIEW;
    out->warehouse = place->warehouse.id;
    out->object_id = id;
    out->with_config = with_config;
    out->metadata_location = metadata_location;
    return OK;
}

/* Names the file of the next version, stores the rows and asks for the file. */
static status_value commit_version(struct view__edit *edit, uint64_t id,
                                   struct catalog_response *out)
{
    struct catalog_context *context = edit->context;
    struct view *view = edit->view;
    const struct catalog_warehouse *warehouse = &edit->place->warehouse;
    bool gzip;
    bool pending;
    struct str folder;
    TRY(view__metadata_is_gzip(view, &gzip));
    TRY(view__metadata_folder(view, &folder));
    TRY(catalog__metadata_path(context, folder, view->header.version, gzip,
                               &view->header.metadata_location));
    TRY(outbox__pending(context, warehouse->id, id, &pending));
    TRY(view__store(edit, id, pending ? view->header.version : 0));
    const struct catalog_version version = {.warehouse = warehouse->id,
                                            .object_id = id,
                                            .version = view->header.version,
                                            .is_view = true};
    return outbox__put(context, warehouse, &version, view->header.metadata_location, gzip, NULL, 0,
                       out);
}

/* --- create --- */

/* One path segment of a name: what any store and any client takes unchanged. */
static void write_segment(struct buf *out, struct str name)
{
    buf_byte(out, '/');
    for (size_t i = 0; i < name.size && i < VIEW_SEGMENT_MAX; i++) {
        char c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
        buf_byte(out, (char)(plain ? c : '_'));
    }
}

/* <namespace's location, or the warehouse's with its levels>/<name>-<uuid>: never used twice. */
static status_value default_location(struct view__edit *edit, struct str *out)
{
    struct catalog_context *context = edit->context;
    const struct catalog__place *place = edit->place;
    struct str root;
    TRY(catalog__namespace_location(context, &place->warehouse, &place->ident, &root));
    struct buf text;
    buf_init(&text, context->arena, VIEW_ROW_MAX);
    buf_str(&text, root.size > 0 ? root : place->warehouse.location);
    for (size_t i = 0; root.size == 0 && i < place->ident.level_count; i++)
        write_segment(&text, place->ident.levels[i]);
    write_segment(&text, place->ident.name);
    buf_byte(&text, '-');
    buf_str(&text, edit->view->header.uuid);
    TRY(buf_finish(&text, "a location", context->diag));
    *out = buf_view(&text);
    return OK;
}

static status_value create_location(struct view__edit *edit, const struct json *body)
{
    struct str location;
    bool found;
    TRY(json_opt_str(body, "location", "create view request", edit->view->diag, &location, &found));
    if (!found || location.size == 0)
        TRY(default_location(edit, &location));
    return view__edit_location(edit, location);
}

static status_value create_content(struct view__edit *edit, const struct json *body)
{
    static const char *const what = "create view request";
    struct diag *diag = edit->view->diag;
    const struct json *schema;
    const struct json *version;
    const struct json *properties = json_get(body, "properties");
    TRY(json_need_object(body, "schema", what, diag, &schema));
    TRY(json_need_object(body, "view-version", what, diag, &version));
    if (!json_is_null(properties) && !json_is(properties, JSON_OBJECT))
        return FAIL(diag, INVALID, "cannot parse %s: field properties must be an object", what);
    TRY(view__version_check(version, diag));
    TRY(view__edit_properties(edit, properties));
    TRY(create_location(edit, body));
    TRY(view__edit_schema(edit, schema));
    TRY(view__edit_version(edit, version, VIEW_FIRST_VERSION_ID, edit->schema_id));
    return view__edit_current(edit, edit->version_id);
}

static status_value new_uuid(struct catalog_context *context, struct str *out)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(uuid_v4(context->prng), text);
    *out = arena_copy(context->arena, (struct str){text, sizeof(text)});
    if (out->data == NULL)
        return FAIL(context->diag, NOMEM, "could not name a view: memory is exhausted");
    return OK;
}

status_value view__create(struct catalog_context *context, const struct catalog__place *place,
                          const struct json *body, struct catalog_response *out, uint64_t *out_id)
{
    struct view view;
    view__init(&view, context->arena, context->diag);
    struct view__edit edit = {.context = context, .place = place, .view = &view};
    TRY(new_uuid(context, &view.header.uuid));
    TRY(create_content(&edit, body));
    TRY(view__build(&edit));
    uint64_t id;
    TRY(catalog__next_id(context, place->warehouse.id, &id));
    TRY(commit_version(&edit, id, out));
    TRY(view__answer(place, id, view.header.metadata_location, true, out));
    *out_id = id;
    return OK;
}

/* --- replace --- */

status_value view__replace(struct catalog_context *context, const struct catalog__place *place,
                           uint64_t id, const struct json *requirements, const struct json *updates,
                           struct catalog_response *out)
{
    struct view view;
    view__init(&view, context->arena, context->diag);
    TRY(view__load(&view, context->view, place->warehouse.id, id));
    struct view__edit edit = {.context = context, .place = place, .view = &view};
    const struct view__version *before = view__version_find(&view, view.header.current_version_id);
    edit.before = before == NULL ? NULL : before->json;
    TRY(view__check_requirements(&view, requirements));
    TRY(view__apply(&edit, updates));
    if (edit.changed) {
        TRY(view__build(&edit));
        view.header.version++;
        TRY(commit_version(&edit, id, out));
    }
    return view__answer(place, id, view.header.metadata_location, true, out);
}

status_value view__respond(struct catalog_context *context, const struct catalog__place *place,
                           uint64_t id, bool with_config, struct catalog_response *out)
{
    struct view view;
    view__init(&view, context->arena, context->diag);
    TRY(view__load(&view, context->view, place->warehouse.id, id));
    return view__answer(place, id, view.header.metadata_location, with_config, out);
}

status_value view__drop(struct catalog_context *context, const struct catalog__place *place,
                        uint64_t id)
{
    return drop__put(context, place->warehouse.id, id, true, false);
}
