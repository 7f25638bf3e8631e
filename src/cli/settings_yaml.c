/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings_yaml.c - the settings file. Keys are those of settings.def, where a dot is a nested
 * mapping; `warehouse` is a mapping of names, or a list of NAME=LOCATION texts:
 *
 *   data: /var/lib/tarn
 *   warehouse:
 *     lake: {location: /data/lake, publish: async}
 *   limits: {connections: 2000}
 *
 * Reads libyaml's node tree: every node knows its line, so an unknown key, a key given twice and a
 * value that cannot be are all reported with their place, and a value's origin can name its line.
 */
#include "cli/settings.h"
#include "cli/suggest.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

enum { DEPTH_MAX = 3, KEY_MAX = 128 };

struct reader {
    struct settings *settings;
    struct arena *arena;
    const char *path;
    const bool *skip;
    yaml_document_t *document;
    bool seen[SETTINGS_MAX];
};

static struct str scalar_text(const yaml_node_t *node)
{
    return (struct str){(const char *)node->data.scalar.value, node->data.scalar.length};
}

static const char *place(struct reader *reader, const yaml_node_t *node)
{
    return arena_printf(reader->arena, "%s:%zu", reader->path, node->start_mark.line + 1).data;
}

static status unknown_key(struct reader *reader, const yaml_node_t *key, const char *full,
                          struct diag *diag)
{
    struct suggest near = suggest_for(str_from(full));
    for (size_t i = 0; settings_flag(i) != NULL; i++)
        suggest_offer(&near, str_from(settings_flag(i)->name));
    status_value failed =
        FAIL(diag, USAGE, "%s: there is no setting '%s'", place(reader, key), full);
    if (near.best.data != NULL)
        (void)FAIL(diag, USAGE, "did you mean '%.*s'?", STR_ARG(near.best));
    else
        (void)FAIL(diag, USAGE, "`tarn config show` lists all settings");
    return failed;
}

static status apply(struct reader *reader, size_t row, const yaml_node_t *at, struct str text,
                    const char *origin, struct diag *diag)
{
    struct str copy = arena_copy(reader->arena, text);
    (void)at;
    if (copy.data == NULL)
        return FAIL(diag, NOMEM, "no memory for the settings");
    if (reader->skip[row])
        return OK;
    return settings_apply(reader->settings, reader->arena, row, copy.data, origin, diag);
}

static status wrong_shape(struct reader *reader, const yaml_node_t *node, const char *key,
                          const char *wanted, struct diag *diag)
{
    return FAIL(diag, USAGE, "%s: '%s' must be %s", place(reader, node), key, wanted);
}

/* {location: L, publish: P} or a location, as NAME=LOCATION,publish=P. */
static status warehouse_value(struct reader *reader, const yaml_node_t *value, struct buf *text,
                              struct diag *diag)
{
    const char *publish = NULL;
    if (value->type == YAML_SCALAR_NODE) {
        buf_str(text, scalar_text(value));
        return OK;
    }
    if (value->type != YAML_MAPPING_NODE)
        return wrong_shape(reader, value, "warehouse", "a location, or location and publish", diag);
    for (yaml_node_pair_t *pair = value->data.mapping.pairs.start;
         pair < value->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        const yaml_node_t *item = yaml_document_get_node(reader->document, pair->value);
        if (key->type != YAML_SCALAR_NODE || item->type != YAML_SCALAR_NODE)
            return wrong_shape(reader, item, "warehouse", "made of texts", diag);
        if (str_is(scalar_text(key), "location"))
            buf_str(text, scalar_text(item));
        else if (str_is(scalar_text(key), "publish"))
            publish = (const char *)item->data.scalar.value;
        else
            return FAIL(diag, USAGE, "%s: a warehouse has no '%.*s'; location and publish",
                        place(reader, key), STR_ARG(scalar_text(key)));
    }
    if (publish != NULL)
        buf_printf(text, ",publish=%s", publish);
    return OK;
}

static status warehouse_mapping(struct reader *reader, size_t row, const yaml_node_t *node,
                                const char *origin, struct diag *diag)
{
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        struct buf text;
        if (key->type != YAML_SCALAR_NODE)
            return wrong_shape(reader, key, "warehouse", "a mapping of names", diag);
        buf_init(&text, reader->arena, SETTINGS_VALUE_MAX);
        buf_str(&text, scalar_text(key));
        buf_byte(&text, '=');
        TRY(warehouse_value(reader, yaml_document_get_node(reader->document, pair->value), &text,
                            diag));
        TRY(buf_finish(&text, "a warehouse", diag));
        TRY(apply(reader, row, key, buf_view(&text), origin, diag));
    }
    return OK;
}

static status warehouses(struct reader *reader, size_t row, const yaml_node_t *key,
                         const yaml_node_t *node, struct diag *diag)
{
    const char *origin = place(reader, key);
    if (node->type == YAML_MAPPING_NODE)
        return warehouse_mapping(reader, row, node, origin, diag);
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong_shape(reader, node, "warehouse", "a mapping of names or a list", diag);
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        const yaml_node_t *one = yaml_document_get_node(reader->document, *item);
        if (one->type != YAML_SCALAR_NODE)
            return wrong_shape(reader, one, "warehouse", "a list of NAME=LOCATION", diag);
        TRY(apply(reader, row, one, scalar_text(one), origin, diag));
    }
    return OK;
}

static bool is_branch(const char *prefix)
{
    for (size_t i = 0; settings_flag(i) != NULL; i++) {
        const char *name = settings_flag(i)->name;
        if (strncmp(name, prefix, strlen(prefix)) == 0 && name[strlen(prefix)] == '.')
            return true;
    }
    return false;
}

static status read_pair(struct reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                        const char *full, struct diag *diag)
{
    int row = settings_find(str_from(full));
    if (row < 0)
        return unknown_key(reader, key, full, diag);
    if (reader->seen[row])
        return FAIL(diag, USAGE, "%s: '%s' is there twice", place(reader, key), full);
    reader->seen[row] = true;
    if (strcmp(full, "warehouse") == 0)
        return warehouses(reader, (size_t)row, key, value, diag);
    if (value->type != YAML_SCALAR_NODE)
        return wrong_shape(reader, value, full, "one value", diag);
    return apply(reader, (size_t)row, value, scalar_text(value), place(reader, key), diag);
}

static status read_mapping(struct reader *reader, const yaml_node_t *node, const char *prefix,
                           unsigned depth, struct diag *diag)
{
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
        char full[KEY_MAX];
        if (key->type != YAML_SCALAR_NODE)
            return wrong_shape(reader, key, "a key", "a word", diag);
        (void)snprintf(full, sizeof full, "%s%s%.*s", prefix, prefix[0] == 0 ? "" : ".",
                       STR_ARG(scalar_text(key)));
        if (value->type == YAML_MAPPING_NODE && depth < DEPTH_MAX && is_branch(full))
            TRY(read_mapping(reader, value, full, depth + 1, diag));
        else
            TRY(read_pair(reader, key, value, full, diag));
    }
    return OK;
}

static status read_document(struct reader *reader, struct diag *diag)
{
    const yaml_node_t *root = yaml_document_get_root_node(reader->document);
    if (root == NULL)
        return OK; /* an empty file */
    if (root->type != YAML_MAPPING_NODE)
        return FAIL(diag, USAGE, "%s:%zu: the file must be a mapping: `key: value` lines",
                    reader->path, root->start_mark.line + 1);
    return read_mapping(reader, root, "", 0, diag);
}

status settings_read_yaml(struct settings *settings, struct arena *arena, const char *path,
                          const bool *skip, struct diag *diag)
{
    yaml_parser_t parser;
    yaml_document_t document;
    struct reader reader = {settings, arena, path, skip, &document, {false}};
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return FAIL(diag, USAGE, "could not read the settings file %s: %s", path,
                    strerrordesc_np(errno));
    if (yaml_parser_initialize(&parser) == 0) {
        (void)fclose(file);
        return FAIL(diag, NOMEM, "no memory for the settings file");
    }
    yaml_parser_set_input_file(&parser, file);
    status_value result;
    if (yaml_parser_load(&parser, &document) == 0) {
        result = FAIL(diag, USAGE, "%s:%zu: not YAML: %s", path, parser.problem_mark.line + 1,
                      parser.problem == NULL ? "it cannot be read" : parser.problem);
    } else {
        result = read_document(&reader, diag);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    (void)fclose(file);
    return result;
}
