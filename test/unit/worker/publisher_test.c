/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher_test.c - every committed version becomes a file, whatever happens in between.
 *
 * A store that fails is a real one: a file lies where the folder of the namespace must be.
 */
#include "worker/publisher.h"

#include "worker_support.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { VERSIONS = 20, NOT_YET = -1 };

struct waiter {
    struct publisher_wait wait;
    pthread_mutex_t lock;
    int answers;
    int visible; /* NOT_YET, 0 or 1 */
};

static void on_ready(struct publisher_wait *self, bool visible)
{
    struct waiter *waiter = CONTAINER_OF(self, struct waiter, wait);
    pthread_mutex_lock(&waiter->lock);
    waiter->answers++;
    waiter->visible = visible;
    pthread_mutex_unlock(&waiter->lock);
}

static int answer_of(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    int visible = waiter->visible;
    assert_true(waiter->answers <= 1);
    pthread_mutex_unlock(&waiter->lock);
    return visible;
}

static void await(struct publisher *publisher, struct waiter *waiter,
                  const struct catalog_response *response)
{
    assert_int_equal(response->await_count, 1);
    *waiter = (struct waiter){.wait = {.version = response->await[0], .ready = on_ready},
                              .visible = NOT_YET};
    (void)pthread_mutex_init(&waiter->lock, NULL);
    publisher_await(publisher, &waiter->wait);
}

/* Waits for the answer, some seconds at most. */
static int join(struct waiter *waiter)
{
    for (int i = 0; i < 1000 && answer_of(waiter) == NOT_YET; i++)
        (void)usleep(10000);
    return answer_of(waiter);
}

static struct publisher *open_publisher(struct fixture *f)
{
    struct publisher *publisher = NULL;
    assert_true(is_ok(publisher_open(env_linux(), f->node, f->stores, &f->options, &f->log, NULL,
                                     &f->diag, &publisher)));
    return publisher;
}

static bool outbox_is_empty(struct fixture *f)
{
    return worker_outbox(f) == 0;
}

static struct catalog_response set_number(struct fixture *f, int number)
{
    struct str body = arena_printf(
        &f->arena, "{'updates':[{'action':'set-properties','updates':{'n':'%d'}}]}", number);
    return worker_run(f, CATALOG_TABLE_COMMIT, "db", "t", body.data);
}

static void expect_number(struct fixture *f, const struct catalog_response *response, int number)
{
    struct json_limits limits = json_limits_document();
    const struct json *json = NULL;
    struct str value = {"", 0};
    struct str file = worker_read(f, worker_path(f, response->metadata_location));
    char wanted[16];
    assert_true(is_ok(json_parse(&f->arena, file, &limits, &f->diag, &json)));
    assert_true(json_as_str(json_get(json_get(json, "properties"), "n"), &value));
    (void)snprintf(wanted, sizeof(wanted), "%d", number);
    assert_true(str_is(value, wanted));
}

static void test_a_waiter_is_answered_when_the_file_is_there(void **state)
{
    struct fixture *f = *state;
    struct publisher *publisher = open_publisher(f);
    struct catalog_response created = worker_table(f, "'n':'0'");
    struct waiter waiter;
    await(publisher, &waiter, &created);
    assert_int_equal(join(&waiter), 1);
    expect_number(f, &created, 0);
    assert_true(worker_until(f, outbox_is_empty));
    /* whoever comes late is answered too, from what is published already */
    await(publisher, &waiter, &created);
    assert_int_equal(join(&waiter), 1);
    publisher_close(publisher);
    assert_int_equal(waiter.answers, 1);
}

static void test_every_version_is_written_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct catalog_response versions[VERSIONS];
    versions[0] = worker_table(f, "'n':'0'");
    for (int i = 1; i < VERSIONS; i++)
        versions[i] = set_number(f, i);
    assert_int_equal(worker_outbox(f), VERSIONS);
    struct publisher *publisher = open_publisher(f);
    assert_true(worker_until(f, outbox_is_empty));
    publisher_close(publisher);
    for (int i = 0; i < VERSIONS; i++)
        expect_number(f, &versions[i], i);
    assert_int_equal(worker_logged(f, "publish.failed"), 0);
}

/* Commits go on while the publisher works, and each one waits for its file. */
static void test_waiters_come_while_rounds_run(void **state)
{
    struct fixture *f = *state;
    struct publisher *publisher = open_publisher(f);
    struct waiter waiters[VERSIONS];
    struct catalog_response versions[VERSIONS];
    versions[0] = worker_table(f, "'n':'0'");
    await(publisher, &waiters[0], &versions[0]);
    for (int i = 1; i < VERSIONS; i++) {
        versions[i] = set_number(f, i);
        await(publisher, &waiters[i], &versions[i]);
    }
    for (int i = 0; i < VERSIONS; i++) {
        assert_int_equal(join(&waiters[i]), 1);
        expect_number(f, &versions[i], i);
    }
    assert_true(worker_until(f, outbox_is_empty));
    publisher_close(publisher);
}

static bool has_failed(struct fixture *f)
{
    return worker_logged(f, "publish.failed") >= 2;
}

static void test_a_store_that_fails_is_tried_again(void **state)
{
    struct fixture *f = *state;
    char blocker[256];
    struct publisher *publisher = open_publisher(f);
    struct waiter waiter;
    (void)worker_file(f, "db", STR("in the way"));
    struct catalog_response created = worker_table(f, "'n':'0'");
    await(publisher, &waiter, &created);
    assert_true(worker_until(f, has_failed));
    assert_int_equal(answer_of(&waiter), NOT_YET);
    assert_int_equal(worker_outbox(f), 1);
    (void)snprintf(blocker, sizeof(blocker), "%s/db", f->root);
    assert_int_equal(unlink(blocker), 0);
    assert_int_equal(join(&waiter), 1);
    expect_number(f, &created, 0);
    assert_true(worker_until(f, outbox_is_empty));
    publisher_close(publisher);
}

static void test_closing_answers_every_waiter(void **state)
{
    struct fixture *f = *state;
    struct publisher *publisher = open_publisher(f);
    struct waiter waiter;
    (void)worker_file(f, "db", STR("in the way"));
    struct catalog_response created = worker_table(f, "'n':'0'");
    await(publisher, &waiter, &created);
    assert_true(worker_until(f, has_failed));
    publisher_close(publisher);
    assert_int_equal(answer_of(&waiter), 0);
    assert_int_equal(worker_outbox(f), 1);
}

static void test_a_restart_goes_on(void **state)
{
    struct fixture *f = *state;
    struct catalog_response first = worker_table(f, "'n':'0'");
    struct catalog_response second = set_number(f, 1);
    worker_restart(f);
    assert_int_equal(worker_outbox(f), 2);
    struct publisher *publisher = open_publisher(f);
    assert_true(worker_until(f, outbox_is_empty));
    publisher_close(publisher);
    expect_number(f, &first, 0);
    expect_number(f, &second, 1);
}

static void test_old_metadata_files_are_given_up(void **state)
{
    struct fixture *f = *state;
    struct catalog_response versions[4];
    versions[0] = worker_table(f, "'n':'0','write.metadata.previous-versions-max':'1',"
                                  "'write.metadata.delete-after-commit.enabled':'true'");
    for (int i = 1; i < 4; i++)
        versions[i] = set_number(f, i);
    struct publisher *publisher = open_publisher(f);
    assert_true(worker_until(f, outbox_is_empty));
    publisher_close(publisher);
    assert_false(worker_exists(f, worker_path(f, versions[0].metadata_location)));
    assert_false(worker_exists(f, worker_path(f, versions[1].metadata_location)));
    expect_number(f, &versions[2], 2);
    expect_number(f, &versions[3], 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_waiter_is_answered_when_the_file_is_there),
        TEST(test_every_version_is_written_as_it_was),
        TEST(test_waiters_come_while_rounds_run),
        TEST(test_a_store_that_fails_is_tried_again),
        TEST(test_closing_answers_every_waiter),
        TEST(test_a_restart_goes_on),
        TEST(test_old_metadata_files_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
