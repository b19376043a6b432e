// What tasks share and start, in short names over the bindings of taskcell:host. Say which world the bindings are of, and include them
// first:
//
//     #include "pipeline.h"
//     #define TASKCELL_WORLD pipeline
//     #include "taskcell-host.h"
//
// The world has to import the queue, shared-map, process and pool interfaces, as `include taskcell:host/program` does. The bindings' own
// functions are there for the rest; their comments say when each waits and fails.
//
// A function that can fail gives `false` and sets `*error`, which is the caller's to free with `taskcell_host_types_error_free`. A timeout is
// `TC_FOREVER` (NULL), `TC_NOW`, or `TC_MS(250)`.

#ifndef TASKCELL_HOST_H
#define TASKCELL_HOST_H

#include "taskcell.h"

#define TC_JOIN_(a, b) a##b
#define TC_JOIN(a, b) TC_JOIN_(a, b)

typedef TC_JOIN(TASKCELL_WORLD, _string_t) tc_string;
typedef TC_JOIN(TASKCELL_WORLD, _list_u8_t) tc_bytes;
typedef taskcell_host_types_error_t tc_error;
typedef taskcell_host_types_outcome_t tc_outcome;
typedef taskcell_host_types_value_t tc_value;
typedef taskcell_host_queue_own_queue_t tc_queue;
typedef taskcell_host_queue_own_delivery_t tc_delivery;
typedef taskcell_host_shared_map_own_shared_map_t tc_map;
typedef taskcell_host_process_own_invocation_t tc_invocation;
typedef taskcell_host_process_own_process_t tc_process;
typedef taskcell_host_pool_own_pool_t tc_pool;
typedef taskcell_host_pool_own_task_future_t tc_future;
typedef taskcell_host_pool_own_mapping_t tc_mapping;

#define TC_FOREVER ((uint64_t *)NULL)
#define TC_NS(nanoseconds) (&(uint64_t){(nanoseconds)})
#define TC_MS(milliseconds) TC_NS((uint64_t)(milliseconds) * 1000000)
#define TC_NOW TC_NS(0)

/// A string or bytes that are only lent for a call: of a literal or of a buffer.
#define tc_lent(text) (&(tc_string){.ptr = (uint8_t *)(text), .len = strlen(text)})
#define tc_lent_bytes(data, size) (&(tc_bytes){.ptr = (uint8_t *)(data), .len = (size)})

/// An error in words: its case, and what the host says to it. The caller frees it.
static inline char *tc_error_text(const tc_error *error) {
    static const char *const cases[] = {"timed out", "closed", "cancelled", "denied", "lapsed", "broken",
                                        "quota",     "deadlock", "invalid", "not found", "other"};
    size_t len;
    if (error->tag < TASKCELL_HOST_TYPES_ERROR_QUOTA)
        return tc_printed(&len, "%s", cases[error->tag]);
    // All further cases carry a text.
    return tc_printed(&len, "%s: %.*s", cases[error->tag], tc_arg(&error->val.other));
}

/// Fails a task with an error of the host: `return tc_fail_with(err, &error);`
#define tc_fail_with(err, error)                                                                                                   \
    ((err)->ptr = (uint8_t *)tc_error_text(error), (err)->len = strlen((char *)(err)->ptr), taskcell_host_types_error_free(error), false)

/// Whether an error is of a case: `tc_is_error(&error, CLOSED)`.
#define tc_is_error(error, case) ((error)->tag == TASKCELL_HOST_TYPES_ERROR_##case)

// Queues.

/// Makes a queue that holds `capacity` messages; 0: as many as the host allows.
static inline bool tc_queue_create(uint32_t capacity, tc_queue *queue, tc_error *error) {
    taskcell_host_queue_options_t options = {.capacity = {.is_some = capacity != 0, .val = capacity}};
    return taskcell_host_queue_static_queue_create(&options, queue, error);
}

static inline bool tc_queue_put(tc_queue queue, const void *data, size_t len, uint64_t *timeout, tc_error *error) {
    return taskcell_host_queue_method_queue_put(taskcell_host_queue_borrow_queue(queue), tc_lent_bytes(data, len), timeout, error);
}

/// Takes the oldest message, which the caller frees.
static inline bool tc_queue_get(tc_queue queue, uint64_t *timeout, tc_bytes *message, tc_error *error) {
    return taskcell_host_queue_method_queue_get(taskcell_host_queue_borrow_queue(queue), timeout, message, error);
}

static inline bool tc_queue_close(tc_queue queue, tc_error *error) {
    return taskcell_host_queue_method_queue_close(taskcell_host_queue_borrow_queue(queue), error);
}

static inline bool tc_queue_receive(tc_queue queue, uint64_t lease, uint64_t *timeout, tc_delivery *delivery, tc_error *error) {
    return taskcell_host_queue_method_queue_receive(taskcell_host_queue_borrow_queue(queue), lease, timeout, delivery, error);
}

/// Acknowledges a delivery and drops its handle.
static inline bool tc_delivery_ack(tc_delivery delivery, tc_error *error) {
    bool done = taskcell_host_queue_method_delivery_ack(taskcell_host_queue_borrow_delivery(delivery), error);
    taskcell_host_queue_delivery_drop_own(delivery);
    return done;
}

// Shared maps.

static inline bool tc_map_create(tc_map *map, tc_error *error) {
    return taskcell_host_shared_map_static_shared_map_create(NULL, map, error);
}

/// Adds to an integer; exact, however many do it at once. `sum` may be NULL.
static inline bool tc_map_increment(tc_map map, const char *key, int64_t by, int64_t *sum, tc_error *error) {
    int64_t unused;
    return taskcell_host_shared_map_method_shared_map_increment(taskcell_host_shared_map_borrow_shared_map(map), tc_lent(key), by,
                                                                sum ? sum : &unused, error);
}

static inline bool tc_map_set(tc_map map, const char *key, const void *data, size_t len, tc_error *error) {
    uint64_t version;
    return taskcell_host_shared_map_method_shared_map_set(taskcell_host_shared_map_borrow_shared_map(map), tc_lent(key),
                                                          tc_lent_bytes(data, len), NULL, &version, error);
}

/// A key's value, which the caller frees; `found->is_some` tells whether there is one.
static inline bool tc_map_get(tc_map map, const char *key, taskcell_host_shared_map_option_entry_t *found, tc_error *error) {
    return taskcell_host_shared_map_method_shared_map_get(taskcell_host_shared_map_borrow_shared_map(map), tc_lent(key), found, error);
}

// Processes and pools.

static inline tc_invocation tc_invocation_of(const char *task) {
    return taskcell_host_process_constructor_invocation(tc_lent(task));
}

/// The next argument is a value, as JSON: `tc_push_json(invocation, "%u", n)`.
#define tc_push_json(invocation, ...)                                                                                              \
    do {                                                                                                                           \
        tc_value value = {.tag = TASKCELL_HOST_TYPES_VALUE_JSON};                                                                  \
        tc_format(&value.val.json, __VA_ARGS__);                                                                                   \
        taskcell_host_process_method_invocation_push(taskcell_host_process_borrow_invocation(invocation), &value);                 \
        taskcell_host_types_value_free(&value);                                                                                    \
    } while (0)

static inline void tc_push_queue(tc_invocation invocation, tc_queue queue) {
    taskcell_host_process_method_invocation_push_queue(taskcell_host_process_borrow_invocation(invocation),
                                                       taskcell_host_queue_borrow_queue(queue));
}

static inline void tc_push_map(tc_invocation invocation, tc_map map) {
    taskcell_host_process_method_invocation_push_shared_map(taskcell_host_process_borrow_invocation(invocation),
                                                            taskcell_host_shared_map_borrow_shared_map(map));
}

/// Starts a task in a process of its own, without limits of its own. Uses the invocation up.
static inline bool tc_process_spawn(tc_invocation invocation, tc_process *process, tc_error *error) {
    taskcell_host_process_options_t options = {0};
    return taskcell_host_process_static_process_spawn(invocation, &options, process, error);
}

/// Waits until it has ended. The caller frees the outcome.
static inline bool tc_process_join(tc_process process, uint64_t *timeout, tc_outcome *outcome, tc_error *error) {
    return taskcell_host_process_method_process_join(taskcell_host_process_borrow_process(process), timeout, outcome, error);
}

/// Makes a pool of so many workers; 0: one per CPU of this job.
static inline bool tc_pool_create(uint32_t workers, tc_pool *pool, tc_error *error) {
    taskcell_host_pool_options_t options = {.workers = {.is_some = workers != 0, .val = workers}};
    return taskcell_host_pool_static_pool_create(&options, pool, error);
}

/// Submits a task. Uses the invocation up.
static inline bool tc_pool_submit(tc_pool pool, tc_invocation invocation, tc_future *future, tc_error *error) {
    return taskcell_host_pool_method_pool_submit(taskcell_host_pool_borrow_pool(pool), invocation, future, error);
}

/// Waits until the task has ended. The caller frees the outcome.
static inline bool tc_future_result(tc_future future, uint64_t *timeout, tc_outcome *outcome, tc_error *error) {
    return taskcell_host_pool_method_task_future_result(taskcell_host_pool_borrow_task_future(future), timeout, outcome, error);
}

/// Opens a stream of calls of one task, whose outcomes come in the order of the values or as tasks end.
static inline bool tc_pool_imap(tc_pool pool, const char *task, bool ordered, tc_mapping *mapping, tc_error *error) {
    return taskcell_host_pool_method_pool_imap(taskcell_host_pool_borrow_pool(pool), tc_lent(task), ordered, 0, mapping, error);
}

/// Adds a value as JSON; waits while the stream is full.
static inline bool tc_mapping_push(tc_mapping mapping, const char *json, uint64_t *timeout, tc_error *error) {
    tc_value value = {.tag = TASKCELL_HOST_TYPES_VALUE_JSON, .val.json = *tc_lent(json)};
    taskcell_host_pool_list_value_t values = {.ptr = &value, .len = 1};
    uint32_t added;
    return taskcell_host_pool_method_mapping_push(taskcell_host_pool_borrow_mapping(mapping), &values, timeout, &added, error);
}

/// There are no more values.
static inline void tc_mapping_finish(tc_mapping mapping) {
    taskcell_host_pool_method_mapping_finish(taskcell_host_pool_borrow_mapping(mapping));
}

/// Takes the next outcome, which the caller frees. False with `closed` when all were taken.
static inline bool tc_mapping_next(tc_mapping mapping, uint64_t *timeout, tc_outcome *outcome, tc_error *error) {
    taskcell_host_pool_list_mapped_t due;
    if (!taskcell_host_pool_method_mapping_next(taskcell_host_pool_borrow_mapping(mapping), 1, timeout, &due, error))
        return false;
    if (due.len == 0) {
        error->tag = TASKCELL_HOST_TYPES_ERROR_CLOSED;
        return false;
    }
    *outcome = due.ptr[0].outcome;
    // The outcome is the caller's now, and the list that it came in is ours.
    free(due.ptr);
    return true;
}

/// The JSON of what a task returned, without a zero at its end; NULL if it did not return, or returned bytes or nothing.
static inline const tc_string *tc_outcome_json(const tc_outcome *outcome) {
    bool is_json = outcome->tag == TASKCELL_HOST_TYPES_OUTCOME_OK && outcome->val.ok.tag == TASKCELL_HOST_TYPES_VALUE_JSON;
    return is_json ? &outcome->val.ok.val.json : NULL;
}

/// The number that text of a given length is, such as a message or a result.
static inline bool tc_u64(const void *text, size_t len, uint64_t *number) {
    const char *digits = (const char *)text;
    *number = 0;
    for (size_t at = 0; at < len; at++)
        if (digits[at] < '0' || digits[at] > '9' || __builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(digits[at] - '0'), number))
            return false;
    return len != 0;
}

#endif
