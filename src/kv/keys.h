/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * keys.h - every key of the replicated state, in one place.
 *
 * Integers are big-endian (signed ones with the sign bit flipped), so bytes order as numbers do.
 * Names come last in a key and are stored verbatim up to KEY_NAME_MAX bytes; a longer name keeps
 * its first KEY_NAME_MAX bytes and 16 bytes of XXH3-128 of the whole (the full name is in the
 * value). A warehouse is a contiguous range: 'C' and its id come first. Letters on disk never
 * change meaning.
 *
 *   M <text>                              facts of the cluster: "cluster-id", "next-warehouse-id"
 *   W <name>                              warehouse: JSON {id, name, location, publish, properties}
 *   C <wh:u32> z <text>                   counters of a warehouse: "next-id", "objects"
 *   C <wh:u32> n <parent:u64> <name>      namespace below parent (0 = root): JSON {id, name,
 *                                         properties}
 *   C <wh:u32> N <ns:u64>                 namespace by id: JSON {parent, name}
 *   C <wh:u32> t <ns:u64> <name>          table name  -> JSON {id, name}
 *   C <wh:u32> v <ns:u64> <name>          view name   -> JSON {id, name}
 *   C <wh:u32> T <id:u64> <part> ...      rows of one table
 *   C <wh:u32> V <id:u64> <part> ...      rows of one view
 *   C <wh:u32> x <id:u64> <version:u64>   outbox: this version's metadata.json is not known durable
 *   C <wh:u32> q <id:u64>                 purge of a dropped table, until its files are gone
 *   C <wh:u32> i <uuid:16>                idempotency record
 *   C <wh:u32> e <expiry_ms:u64> <uuid:16>  idempotency records by expiry
 *
 * Parts of a table (T) and a view (V):
 *   h                  header: scalar fields, counters, unknown top-level members (JSON)
 *   p                  properties (JSON object)
 *   s <schema:i32>     schema fragment             d <spec:i32>     partition spec fragment
 *   o <order:i32>      sort order fragment         n <ordinal:u64>  snapshot, in insertion order
 *   i <snapshot:i64>   {snapshot ordinal u64le, newest snapshot-log ordinal + 1 u64le or 0}
 *   r <name>           ref: JSON {"name":.., then the fragment's members}
 *   l <ordinal:u64>    snapshot-log entry (view: version-log entry)
 *   m <ordinal:u64>    metadata-log entry          a <snapshot:i64> statistics
 *   b <snapshot:i64>   partition statistics        k <key id>       encryption key
 *   v <version:i32>    view version (views only)
 *   u <version:u64> <part...>   undo: the row's value before `version` was committed (see outbox.c)
 */
#include "kv/kv.h"

enum { KEY_NAME_MAX = 400 };

struct key {
    size_t size;
    unsigned char data[KEY_SIZE_MAX + 12];
};

enum key_kind {
    KEY_COUNTER = 'z',
    KEY_NAMESPACE = 'n',
    KEY_NAMESPACE_ID = 'N',
    KEY_TABLE_NAME = 't',
    KEY_VIEW_NAME = 'v',
    KEY_TABLE = 'T',
    KEY_VIEW = 'V',
    KEY_OUTBOX = 'x',
    KEY_PURGE = 'q',
    KEY_IDEMPOTENCY = 'i',
    KEY_IDEMPOTENCY_EXPIRY = 'e'
};

enum key_part {
    PART_HEADER = 'h',
    PART_PROPERTIES = 'p',
    PART_SCHEMA = 's',
    PART_SPEC = 'd',
    PART_ORDER = 'o',
    PART_SNAPSHOT = 'n',
    PART_SNAPSHOT_ID = 'i',
    PART_REF = 'r',
    PART_LOG = 'l',
    PART_METADATA_LOG = 'm',
    PART_STATISTICS = 'a',
    PART_PARTITION_STATISTICS = 'b',
    PART_ENCRYPTION_KEY = 'k',
    PART_VIEW_VERSION = 'v',
    PART_UNDO = 'u'
};

static inline struct str key_str(const struct key *key)
{
    return (struct str){(const char *)key->data, key->size};
}

/* Appending to a key never overflows by construction; it is asserted. */
void key_byte(struct key *key, unsigned char byte);
void key_u32(struct key *key, uint32_t value);
void key_u64(struct key *key, uint64_t value);
void key_i32(struct key *key, int32_t value);
void key_i64(struct key *key, int64_t value);
void key_bytes(struct key *key, struct str bytes); /* verbatim; fixed-size fields only */
void key_name(struct key *key, struct str name);   /* last component; hashed when long */

/* Reading back the fixed-size fields of a scanned key, at an offset; asserts the size. */
uint64_t key_read_u64(struct str key, size_t at);
uint32_t key_read_u32(struct str key, size_t at);
int32_t key_read_i32(struct str key, size_t at);
int64_t key_read_i64(struct str key, size_t at);

struct key key_cluster(struct str fact);                     /* M */
struct key key_warehouse(struct str name);                   /* W */
struct key key_in(uint32_t warehouse, enum key_kind kind);   /* C wh kind: prefix of a kind */
struct key key_counter(uint32_t warehouse, struct str name); /* C wh z */
/* n, t, v */
struct key key_child(uint32_t warehouse, enum key_kind kind, uint64_t parent, struct str name);
/* T, V, N, q: prefix of an object */
struct key key_object(uint32_t warehouse, enum key_kind kind, uint64_t id);
struct key key_part(uint32_t warehouse, enum key_kind kind, uint64_t id, enum key_part part);
struct key key_outbox(uint32_t warehouse, uint64_t id, uint64_t version);
enum {
    KEY_IN_SIZE = 1 + 4 + 1,            /* C wh kind */
    KEY_OBJECT_SIZE = KEY_IN_SIZE + 8,  /* ... id: where a part begins */
    KEY_PART_SIZE = KEY_OBJECT_SIZE + 1 /* ... part: where its fields begin */
};
