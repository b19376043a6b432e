// The program, and the task that it starts in a process of its own; wit/world.wit describes them.

#include "program.h"
#define TASKCELL_WORLD program
#include "taskcell-host.h"

#define JOBS 5

// A message is a number, as JSON, so that a task in any language understands it.
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
    program_list_u8_free(&message);
    return true;
}

bool exports_program_square(tc_queue jobs, tc_queue results, uint32_t *ret, program_string_t *err) {
    tc_error error;
    uint64_t n;
    for (*ret = 0; get(jobs, &n, &error); ++*ret)
        if (!put(results, n * n, &error))
            return tc_fail_with(err, &error);
    // The end of the jobs is no failure.
    return tc_is_error(&error, CLOSED) || tc_fail_with(err, &error);
}

static bool program(tc_error *error) {
    tc_queue jobs, results;
    if (!tc_queue_create(2, &jobs, error) || !tc_queue_create(0, &results, error))
        return false;
    tc_invocation square = tc_invocation_of("square");
    tc_push_queue(square, jobs);
    tc_push_queue(square, results);
    tc_process process;
    if (!tc_process_spawn(square, &process, error))
        return false;
    for (uint64_t n = 1; n <= JOBS; n++)
        // Waits while the queue is full.
        if (!put(jobs, n, error))
            return false;
    tc_outcome outcome;
    if (!tc_queue_close(jobs, error) || !tc_process_join(process, TC_FOREVER, &outcome, error))
        return false;
    const tc_string *json = tc_outcome_json(&outcome);
    uint64_t done, result;
    if (!json || !tc_u64(json->ptr, json->len, &done)) {
        fprintf(stderr, "the task did not return a number\n");
        tc_trap();
    }
    printf("squares:");
    for (uint64_t at = 0; at < done; at++) {
        if (!get(results, &result, error))
            return false;
        printf(" %llu", (unsigned long long)result);
    }
    printf("\njobs done: %llu\n", (unsigned long long)done);
    return true;
}

// What `main` is elsewhere.
bool exports_wasi_cli_run_run(void) {
    tc_error error;
    bool well = program(&error);
    if (!well)
        fprintf(stderr, "the program failed: %s\n", tc_error_text(&error));
    // Nobody else flushes.
    fflush(stdout);
    return well;
}
