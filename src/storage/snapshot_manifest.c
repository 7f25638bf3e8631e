/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_manifest.c - encoding and decoding of manifests.
 *
 * The CRC at the end is checked first, so every later complaint means a writer's error or a forged
 * manifest; still nothing is believed that the size of the input does not carry
 * (fuzz/snapshot_manifest_fuzz.c).
 */
#include "storage/snapshot_manifest.h"

#include "base/crc32c.h"

static const uint32_t manifest_magic = 0x504e5354U; /* "TSNP" */
enum { MANIFEST_FORMAT = 1, NAME_MAX_SIZE = 64 };

static bool plain_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

bool snapshot__name_is_plain(struct str name)
{
    if (name.size == 0 || name.size > NAME_MAX_SIZE || name.data[0] == '.')
        return false;
    for (size_t i = 0; i < name.size; i++) {
        if (!plain_character(name.data[i]))
            return false;
    }
    return true;
}

static void encode_file(const struct snapshot_file *file, struct buf *buf)
{
    buf_u32le(buf, (uint32_t)file->name.size);
    buf_str(buf, file->name);
    buf_u64le(buf, file->size_bytes);
    for (uint64_t i = 0; i < file->chunk_count; i++)
        buf_u32le(buf, file->chunk_crcs[i]);
}

void snapshot__encode_manifest(const struct snapshot *in, struct buf *buf)
{
    buf_u32le(buf, manifest_magic);
    buf_u32le(buf, MANIFEST_FORMAT);
    buf_u32le(buf, SNAPSHOT_CHUNK_SIZE);
    buf_u32le(buf, (uint32_t)in->file_count);
    buf_append(buf, in->cluster_id, SNAPSHOT_CLUSTER_ID_SIZE);
    buf_u64le(buf, in->meta.applied_index);
    buf_u64le(buf, in->meta.applied_term);
    buf_u64le(buf, in->meta.stamp.value);
    buf_u64le(buf, in->meta.digest.low);
    buf_u64le(buf, in->meta.digest.high);
    buf_u64le(buf, in->meta.row_count);
    buf_u64le(buf, in->root.low);
    buf_u64le(buf, in->root.high);
    buf_u32le(buf, (uint32_t)in->extra.size);
    buf_str(buf, in->extra);
    for (size_t i = 0; i < in->file_count; i++)
        encode_file(&in->files[i], buf);
    buf_u32le(buf, crc32c(0, buf_view(buf)));
}

static status bad(struct diag *diag, const char *why)
{
    return FAIL(diag, CORRUPT, "the snapshot's manifest is damaged: %s", why);
}

static status no_memory(struct diag *diag)
{
    return FAIL(diag, NOMEM, "could not read the snapshot's manifest: out of memory");
}

/* Fixed fields behind magic, format and chunk size. */
static void decode_facts(struct cursor *c, struct snapshot *out, uint32_t *out_files)
{
    *out_files = cursor_u32le(c);
    struct str id = cursor_bytes(c, SNAPSHOT_CLUSTER_ID_SIZE);
    if (id.size == SNAPSHOT_CLUSTER_ID_SIZE)
        memcpy(out->cluster_id, id.data, id.size);
    out->meta.applied_index = cursor_u64le(c);
    out->meta.applied_term = cursor_u64le(c);
    out->meta.stamp.value = cursor_u64le(c);
    out->meta.digest.low = cursor_u64le(c);
    out->meta.digest.high = cursor_u64le(c);
    out->meta.row_count = cursor_u64le(c);
    out->root.low = cursor_u64le(c);
    out->root.high = cursor_u64le(c);
}

static status decode_file(struct arena *arena, struct cursor *c, struct diag *diag,
                          struct snapshot_file *out)
{
    struct str name = cursor_bytes(c, cursor_u32le(c));
    out->size_bytes = cursor_u64le(c);
    if (c->failed || !snapshot__name_is_plain(name))
        return bad(diag, "a file has no name that tarn gives");
    out->chunk_count = snapshot_chunks(out->size_bytes);
    if (out->chunk_count > cursor_left(c) / 4)
        return bad(diag, "checksums are missing");
    out->name = arena_copy(arena, name);
    uint32_t *crcs = ARENA_ARRAY(arena, uint32_t, out->chunk_count + 1);
    if (out->name.data == NULL || crcs == NULL)
        return no_memory(diag);
    for (uint64_t i = 0; i < out->chunk_count; i++)
        crcs[i] = cursor_u32le(c);
    out->chunk_crcs = crcs;
    return OK;
}

static status decode_body(struct arena *arena, struct cursor *c, struct diag *diag,
                          struct snapshot *out)
{
    uint32_t file_count = 0;
    decode_facts(c, out, &file_count);
    struct str extra = cursor_bytes(c, cursor_u32le(c));
    if (c->failed || extra.size > SNAPSHOT_EXTRA_MAX)
        return bad(diag, "it is cut short");
    if (file_count == 0 || file_count > SNAPSHOT_FILES_MAX)
        return bad(diag, "the number of files is not possible");
    out->extra = arena_copy(arena, extra);
    out->files = ARENA_ARRAY(arena, struct snapshot_file, file_count);
    if (out->extra.data == NULL || out->files == NULL)
        return no_memory(diag);
    out->file_count = file_count;
    for (uint32_t i = 0; i < file_count; i++)
        TRY(decode_file(arena, c, diag, &out->files[i]));
    return cursor_left(c) == 0 && !c->failed ? OK : bad(diag, "its size is wrong");
}

status snapshot__decode_manifest(struct arena *arena, struct str bytes, struct diag *diag,
                                 struct snapshot *out)
{
    if (bytes.size < 16)
        return bad(diag, "it is cut short");
    struct str body = str_slice(bytes, 0, bytes.size - 4);
    struct cursor tail = cursor_of(str_from_pos(bytes, bytes.size - 4));
    if (cursor_u32le(&tail) != crc32c(0, body))
        return bad(diag, "its checksum is wrong");
    struct cursor c = cursor_of(body);
    if (cursor_u32le(&c) != manifest_magic)
        return bad(diag, "it is no manifest");
    if (cursor_u32le(&c) != MANIFEST_FORMAT || cursor_u32le(&c) != SNAPSHOT_CHUNK_SIZE)
        return FAIL(diag, CORRUPT,
                    "the snapshot was written by a newer version of tarn: use that version");
    struct snapshot found = {0};
    TRY(decode_body(arena, &c, diag, &found));
    *out = found;
    return OK;
}
