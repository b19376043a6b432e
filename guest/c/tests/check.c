// Tries what sdk/taskcell-host.h has; check.wit describes the tasks.

#include "check.h"
#define TASKCELL_WORLD check
#include "taskcell-host.h"

bool exports_check_double(uint32_t n, uint32_t *ret, check_string_t *err) {
    if (n == 13)
        return tc_fail(err, "%u is unlucky", n);
    *ret = 2 * n;
    return true;
}

static void assert_that(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "this does not hold: %s\n", what);
        tc_trap();
    }
}

#define ASSERT(condition) assert_that((condition), #condition)

static void queues(void) {
    tc_error error;
    tc_queue queue;
    tc_bytes message;
    ASSERT(tc_queue_create(1, &queue, &error));
    ASSERT(!tc_queue_get(queue, TC_NOW, &message, &error) && tc_is_error(&error, TIMED_OUT));
    ASSERT(tc_queue_put(queue, "first", 5, TC_FOREVER, &error));
    ASSERT(!tc_queue_put(queue, "second", 6, TC_MS(10), &error) && tc_is_error(&error, TIMED_OUT));
    tc_delivery delivery;
    ASSERT(tc_queue_receive(queue, 60000000000, TC_FOREVER, &delivery, &error));
    taskcell_host_queue_method_delivery_message(taskcell_host_queue_borrow_delivery(delivery), &message);
    ASSERT(tc_is(&message, "first"));
    check_list_u8_free(&message);
    ASSERT(tc_delivery_ack(delivery, &error));
    ASSERT(tc_queue_close(queue, &error));
    ASSERT(!tc_queue_get(queue, TC_FOREVER, &message, &error) && tc_is_error(&error, CLOSED));
    check_string_t text;
    ASSERT(!tc_fail_with(&text, &error) && tc_is(&text, "closed"));
    check_string_free(&text);
    taskcell_host_queue_queue_drop_own(queue);
}

static void maps(void) {
    tc_error error;
    tc_map map;
    int64_t sum;
    taskcell_host_shared_map_option_entry_t found;
    ASSERT(tc_map_create(&map, &error));
    ASSERT(tc_map_get(map, "a", &found, &error) && !found.is_some);
    ASSERT(tc_map_increment(map, "a", -3, &sum, &error) && sum == -3);
    ASSERT(tc_map_get(map, "a", &found, &error) && found.is_some && tc_is(&found.val.value, "-3"));
    taskcell_host_shared_map_option_entry_free(&found);
    ASSERT(tc_map_set(map, "a", "x", 1, &error));
    ASSERT(!tc_map_increment(map, "a", 1, NULL, &error) && tc_is_error(&error, INVALID));
    char *words = tc_error_text(&error);
    ASSERT(!strncmp(words, "invalid: ", 9));
    free(words);
    taskcell_host_types_error_free(&error);
    taskcell_host_shared_map_shared_map_drop_own(map);
}

static void tasks(void) {
    tc_error error;
    tc_outcome outcome;
    tc_process process;
    uint64_t number;
    tc_invocation invocation = tc_invocation_of("double");
    tc_push_json(invocation, "%d", 21);
    ASSERT(tc_process_spawn(invocation, &process, &error));
    ASSERT(tc_process_join(process, TC_FOREVER, &outcome, &error));
    const tc_string *json = tc_outcome_json(&outcome);
    ASSERT(json && tc_u64(json->ptr, json->len, &number) && number == 42);
    taskcell_host_types_outcome_free(&outcome);
    taskcell_host_process_process_drop_own(process);

    tc_pool pool;
    tc_future future;
    ASSERT(tc_pool_create(1, &pool, &error));
    invocation = tc_invocation_of("double");
    tc_push_json(invocation, "%d", 13);
    ASSERT(tc_pool_submit(pool, invocation, &future, &error));
    ASSERT(tc_future_result(future, TC_FOREVER, &outcome, &error));
    ASSERT(!tc_outcome_json(&outcome) && outcome.tag == TASKCELL_HOST_TYPES_OUTCOME_FAILED);
    ASSERT(tc_is(&outcome.val.failed.val.json, "\"13 is unlucky\""));
    taskcell_host_types_outcome_free(&outcome);
    ASSERT(!tc_pool_submit(pool, tc_invocation_of("dubble"), &future, &error) && tc_is_error(&error, NOT_FOUND));
    taskcell_host_types_error_free(&error);
}

static void numbers(void) {
    uint64_t number;
    ASSERT(tc_u64("18446744073709551615", 20, &number) && number == UINT64_MAX);
    ASSERT(tc_u64("007x", 3, &number) && number == 7);
    ASSERT(!tc_u64("18446744073709551616", 20, &number) && !tc_u64("", 0, &number) && !tc_u64("-1", 2, &number));
}

bool exports_wasi_cli_run_run(void) {
    queues();
    printf("works: queues\n");
    maps();
    printf("works: maps\n");
    tasks();
    printf("works: tasks\n");
    numbers();
    printf("works: numbers\n");
    fflush(stdout);
    return true;
}
