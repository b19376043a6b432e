// Tasks that work together through queues and a map, and the program that starts them; pipeline.wit describes them.
//
//     taskcell run c-pipeline.wasm

#include "pipeline.h"
#define TASKCELL_WORLD pipeline
#include "taskcell-host.h"

#define JOBS 100
#define CONSUMERS 3

// Goes on to the end of the function when the host could not do what it was asked for.
#define TRY(call)                                                                                                                  \
    do {                                                                                                                           \
        if (!(call))                                                                                                               \
            goto failed;                                                                                                           \
    } while (0)

// A message: a number, as JSON.
static bool put(tc_queue queue, uint64_t number, tc_error *error) {
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return tc_queue_put(queue, text, (size_t)len, TC_FOREVER, error);
}

static bool get(tc_queue queue, uint64_t *number, tc_error *error) {
    tc_bytes message;
    if (!tc_queue_get(queue, TC_FOREVER, &message, error))
        return false;
    if (!tc_u64(message.ptr, message.len, number))
        tc_trap();
    pipeline_list_u8_free(&message);
    return true;
}

bool exports_pipeline_produce(tc_queue jobs, uint32_t count, uint32_t *ret, pipeline_string_t *err) {
    tc_error error;
    for (uint32_t n = 1; n <= count; n++)
        // Waits while the queue is full: the consumers set the pace.
        TRY(put(jobs, n, &error));
    TRY(tc_queue_close(jobs, &error));
    *ret = count;
    return true;
failed:
    return tc_fail_with(err, &error);
}

bool exports_pipeline_consume(tc_queue jobs, tc_queue results, tc_map totals, uint32_t *ret, pipeline_string_t *err) {
    tc_error error;
    uint64_t n;
    for (*ret = 0; get(jobs, &n, &error); ++*ret) {
        TRY(put(results, n * n, &error));
        TRY(tc_map_increment(totals, "done", 1, NULL, &error));
    }
    // The end of the jobs is no failure.
    if (tc_is_error(&error, CLOSED))
        return true;
failed:
    return tc_fail_with(err, &error);
}

uint64_t exports_pipeline_square(uint32_t n) {
    return (uint64_t)n * n;
}

// The number that a task returned; no program goes on without it.
static uint64_t number(tc_outcome *outcome) {
    const tc_string *json = tc_outcome_json(outcome);
    uint64_t number;
    if (!json || !tc_u64(json->ptr, json->len, &number)) {
        fprintf(stderr, "a task did not return a number\n");
        tc_trap();
    }
    taskcell_host_types_outcome_free(outcome);
    return number;
}

static bool joined(tc_process process, uint64_t *result, tc_error *error) {
    tc_outcome outcome;
    if (!tc_process_join(process, TC_FOREVER, &outcome, error))
        return false;
    *result = number(&outcome);
    return true;
}

bool exports_wasi_cli_run_run(void) {
    tc_error error;
    tc_queue jobs, results;
    tc_map totals;
    TRY(tc_queue_create(8, &jobs, &error));
    TRY(tc_queue_create(0, &results, &error));
    TRY(tc_map_create(&totals, &error));

    tc_process producer, consumers[CONSUMERS];
    tc_invocation produce = tc_invocation_of("produce");
    tc_push_queue(produce, jobs);
    tc_push_json(produce, "%d", JOBS);
    TRY(tc_process_spawn(produce, &producer, &error));
    for (int at = 0; at < CONSUMERS; at++) {
        tc_invocation consume = tc_invocation_of("consume");
        tc_push_queue(consume, jobs);
        tc_push_queue(consume, results);
        tc_push_map(consume, totals);
        TRY(tc_process_spawn(consume, &consumers[at], &error));
    }
    uint64_t produced, consumed = 0, result, sum = 0;
    for (int at = 0; at < CONSUMERS; at++) {
        TRY(joined(consumers[at], &result, &error));
        consumed += result;
    }
    TRY(joined(producer, &produced, &error));
    int64_t done;
    TRY(tc_map_increment(totals, "done", 0, &done, &error));
    for (int at = 0; at < JOBS; at++) {
        TRY(get(results, &result, &error));
        sum += result;
    }
    printf("produced: %llu\nconsumed: %llu and %lld\n", (unsigned long long)produced, (unsigned long long)consumed, (long long)done);
    printf("sum of squares: %llu\npool:", (unsigned long long)sum);

    tc_pool pool;
    tc_future squares[5];
    TRY(tc_pool_create(2, &pool, &error));
    for (int at = 0; at < 5; at++) {
        tc_invocation square = tc_invocation_of("square");
        tc_push_json(square, "%d", at + 1);
        TRY(tc_pool_submit(pool, square, &squares[at], &error));
    }
    for (int at = 0; at < 5; at++) {
        tc_outcome outcome;
        TRY(tc_future_result(squares[at], TC_FOREVER, &outcome, &error));
        printf(" %llu", (unsigned long long)number(&outcome));
    }
    printf("\n");
    // Nobody flushes for a reactor.
    fflush(stdout);
    return true;
failed:
    fprintf(stderr, "the program failed: %s\n", tc_error_text(&error));
    return false;
}
