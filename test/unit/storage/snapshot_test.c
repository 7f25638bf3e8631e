/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_test.c - a snapshot of an LMDB store on a real disk: taken, found, verified, restored.
 */
#include "storage/snapshot.h"

#include "storage/lmdb_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[256];
    char store[512];
    char restored[512];
    char snapshots[512];
    struct arena arena;
    struct diag diag;
};

static void remove_tree(struct arena *arena, const char *dir)
{
    struct env *env = env_linux();
    struct str *names = NULL;
    size_t count = 0;
    assert_true(is_ok(env->ops->dir_list(env, arena, dir, NULL, &names, &count)));
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_printf(arena, "%s/%s", dir, names[i].data);
        struct str *ignored = NULL;
        size_t inner = 0;
        if (is_ok(env->ops->dir_list(env, arena, path.data, NULL, &ignored, &inner)))
            remove_tree(arena, path.data);
        else
            assert_true(is_ok(env->ops->unlink(env, path.data, NULL)));
    }
    assert_true(is_ok(env->ops->dir_remove(env, dir, NULL)));
}

static int setup(void **state)
{
    struct place *p = mem_zalloc(sizeof *p);
    assert_non_null(p);
    const char *base = getenv("TMPDIR");
    (void)snprintf(p->dir, sizeof p->dir, "%s/tarn-snapshot-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->store, sizeof p->store, "%s/store", p->dir);
    (void)snprintf(p->restored, sizeof p->restored, "%s/restored", p->dir);
    (void)snprintf(p->snapshots, sizeof p->snapshots, "%s/snapshots", p->dir);
    arena_init(&p->arena, allocator_heap(), 64 << 20);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    remove_tree(&p->arena, p->dir);
    arena_deinit(&p->arena);
    mem_free(p);
    return 0;
}

static status_value copy_store(void *context, const char *folder, struct diag *diag,
                               struct kv_meta *out_meta)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/data.mdb", folder);
    return lmdb_store_copy(context, path, diag, out_meta);
}

static void a_store_comes_back_from_its_snapshot(void **state)
{
    struct place *p = *state;
    struct env *env = env_linux();
    static const uint8_t cluster[SNAPSHOT_CLUSTER_ID_SIZE] = {9};
    struct lmdb_store_options options = {
        .boot_id = STR("boot"), .create = true, .map_size_bytes = 1 << 24};
    struct kv_store *store = NULL;
    struct snapshot taken;
    struct snapshot found;
    assert_true(
        is_ok(lmdb_store_open(env, p->store, &options, allocator_heap(), &p->diag, &store)));
    assert_true(is_ok(snapshot_start(env, p->snapshots, &p->diag)));
    for (uint64_t index = 1; index <= 3; index++) {
        const struct kv_entry entry = {index, 2, {"", 0}};
        assert_true(is_ok(kv_store_apply(store, &entry, 1, &p->diag)));
        assert_true(is_ok(snapshot_take(env, &p->arena, p->snapshots, cluster, STR("members"),
                                        copy_store, store, &p->diag, &taken)));
        /* Once more at the same index: the one that is there. */
        assert_true(is_ok(snapshot_take(env, &p->arena, p->snapshots, cluster, STR("other"),
                                        copy_store, store, &p->diag, &taken)));
        assert_true(str_is(taken.extra, "members"));
    }
    kv_store_close(store);
    assert_true(is_ok(snapshot_keep(env, p->snapshots, 2, &p->diag)));
    struct snapshot_ref *refs = NULL;
    size_t count = 0;
    assert_true(is_ok(snapshot_list(env, &p->arena, p->snapshots, &p->diag, &refs, &count)));
    assert_int_equal(count, 2);
    assert_true(refs[0].index == 3 && refs[1].index == 2 && refs[0].term == 2);
    assert_true(is_ok(snapshot_newest(env, &p->arena, p->snapshots, &p->diag, &found)));
    assert_true(is_ok(snapshot_verify(env, p->snapshots, &found, &p->diag)));
    assert_memory_equal(found.cluster_id, cluster, sizeof cluster);
    struct str path = snapshot_path(&p->arena, p->snapshots, &found, 0);
    assert_true(is_ok(lmdb_store_restore(env, path.data, p->restored, &options, allocator_heap(),
                                         &p->diag, &store)));
    struct kv_snapshot *view = NULL;
    assert_true(is_ok(kv_store_snapshot(store, &p->diag, &view)));
    assert_int_equal(view->meta.applied_index, 3);
    assert_int_equal(view->meta.applied_term, 2);
    view->close(view);
    kv_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_comes_back_from_its_snapshot, setup, teardown),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
