// The programs of a tutorial on processes that are about pools and queues; tutorial.wit has their tasks.
//
//     taskcell run c-tutorial.wasm
//
// A second of these tasks is short, so that nobody waits for long.

#include <unistd.h>

#include "tutorial.h"
#define TASKCELL_WORLD tutorial
#include "taskcell-host.h"

#define SECOND 100000

#define TRY(call)                                                                                                                  \
    do {                                                                                                                           \
        if (!(call))                                                                                                               \
            goto failed;                                                                                                           \
    } while (0)

void exports_tutorial_process_task(uint32_t item, tutorial_string_t *ret) {
    usleep(item * SECOND / 2);
    tc_format(ret, "Task %u completed", item);
}

uint32_t exports_tutorial_execute_task(uint32_t duration) {
    usleep(duration * SECOND);
    return duration;
}

bool exports_tutorial_data_producer(tc_queue queue, tutorial_string_t *err) {
    static const char item[] = "\"Data item\"";
    tc_error error;
    TRY(tc_queue_put(queue, item, sizeof item - 1, TC_FOREVER, &error));
    usleep(SECOND);
    return true;
failed:
    return tc_fail_with(err, &error);
}

bool exports_tutorial_data_consumer(tc_queue queue, tutorial_string_t *err) {
    tc_error error;
    tc_bytes item;
    usleep(2 * SECOND);
    TRY(tc_queue_get(queue, TC_FOREVER, &item, &error));
    // JSON: a text between quotes.
    printf("Received: %.*s\n", (int)item.len - 2, (char *)item.ptr + 1);
    fflush(stdout);
    tutorial_list_u8_free(&item);
    return true;
failed:
    return tc_fail_with(err, &error);
}

bool exports_tutorial_modify_data(tc_map shared_dict, tutorial_string_t *key, uint32_t value, tutorial_string_t *err) {
    tc_error error;
    char name[32], text[16];
    snprintf(name, sizeof name, "%.*s", tc_arg(key));
    int len = snprintf(text, sizeof text, "%u", value);
    tutorial_string_free(key);
    TRY(tc_map_set(shared_dict, name, text, (size_t)len, &error));
    return true;
failed:
    return tc_fail_with(err, &error);
}

// Prints what a task returned: a text without its quotes, or a number as it is.
static void show(const char *format, tc_outcome *outcome) {
    const tc_string *json = tc_outcome_json(outcome);
    if (!json) {
        fprintf(stderr, "a task did not return\n");
        tc_trap();
    }
    bool quoted = json->len >= 2 && json->ptr[0] == '"';
    printf(format, (int)json->len - 2 * quoted, (char *)json->ptr + quoted);
    taskcell_host_types_outcome_free(outcome);
}

static bool executor(tc_error *error) {
    tc_pool pool;
    tc_future tasks[5];
    TRY(tc_pool_create(4, &pool, error));
    for (int at = 0; at < 5; at++) {
        tc_invocation task = tc_invocation_of("process-task");
        tc_push_json(task, "%d", at + 1);
        TRY(tc_pool_submit(pool, task, &tasks[at], error));
    }
    for (int at = 0; at < 5; at++) {
        tc_outcome outcome;
        TRY(tc_future_result(tasks[at], TC_FOREVER, &outcome, error));
        show("%.*s\n", &outcome);
    }
    return true;
failed:
    return false;
}

// What the three tasks return, in the order of the values or as they end.
static bool stream(tc_pool pool, bool ordered, const char *format, tc_error *error) {
    static const char *const values[] = {"1", "5", "3"};
    tc_mapping mapping;
    TRY(tc_pool_imap(pool, "execute-task", ordered, &mapping, error));
    for (int at = 0; at < 3; at++)
        TRY(tc_mapping_push(mapping, values[at], TC_FOREVER, error));
    tc_mapping_finish(mapping);
    for (int at = 0; at < 3; at++) {
        tc_outcome outcome;
        TRY(tc_mapping_next(mapping, TC_FOREVER, &outcome, error));
        show(format, &outcome);
    }
    return true;
failed:
    return false;
}

static bool imap(tc_error *error) {
    tc_pool pool;
    // At least two: one alone would end its tasks in the order in which they came.
    uint32_t cpus = taskcell_host_task_cpu_count();
    TRY(tc_pool_create(cpus < 2 ? 2 : cpus, &pool, error));
    TRY(stream(pool, true, "Completed task after %.*s seconds\n", error));
    TRY(stream(pool, false, "Task finished in %.*s seconds\n", error));
    return true;
failed:
    return false;
}

static bool started(const char *task, tc_queue queue, tc_process *process, tc_error *error) {
    tc_invocation invocation = tc_invocation_of(task);
    tc_push_queue(invocation, queue);
    return tc_process_spawn(invocation, process, error);
}

static bool joined(tc_process process, tc_error *error) {
    tc_outcome outcome;
    if (!tc_process_join(process, TC_FOREVER, &outcome, error))
        return false;
    taskcell_host_types_outcome_free(&outcome);
    return true;
}

static bool queue(tc_error *error) {
    tc_queue queue;
    tc_process producer, consumer;
    TRY(tc_queue_create(0, &queue, error));
    TRY(started("data-producer", queue, &producer, error));
    TRY(started("data-consumer", queue, &consumer, error));
    TRY(joined(producer, error));
    TRY(joined(consumer, error));
    return true;
failed:
    return false;
}

static bool shared_map(tc_error *error) {
    tc_map shared_dict;
    tc_process processes[5];
    TRY(tc_map_create(&shared_dict, error));
    for (int i = 0; i < 5; i++) {
        tc_invocation modify = tc_invocation_of("modify-data");
        tc_push_map(modify, shared_dict);
        tc_push_json(modify, "\"key_%d\"", i);
        tc_push_json(modify, "%d", i);
        TRY(tc_process_spawn(modify, &processes[i], error));
    }
    for (int i = 0; i < 5; i++)
        TRY(joined(processes[i], error));
    printf("Shared data: {");
    for (int i = 0; i < 5; i++) {
        char key[8];
        snprintf(key, sizeof key, "key_%d", i);
        taskcell_host_shared_map_option_entry_t found;
        TRY(tc_map_get(shared_dict, key, &found, error));
        if (found.is_some)
            printf("%s'%s': %.*s", i ? ", " : "", key, (int)found.val.value.len, (char *)found.val.value.ptr);
        taskcell_host_shared_map_option_entry_free(&found);
    }
    printf("}\n");
    return true;
failed:
    return false;
}

bool exports_wasi_cli_run_run(void) {
    static const struct {
        const char *name;
        bool (*run)(tc_error *);
    } programs[] = {{"executor", executor}, {"imap", imap}, {"queue", queue}, {"shared-map", shared_map}};
    for (size_t at = 0; at < sizeof programs / sizeof *programs; at++) {
        tc_error error;
        printf("-- %s\n", programs[at].name);
        // Nobody flushes for a reactor, and tasks print too.
        fflush(stdout);
        if (!programs[at].run(&error)) {
            fprintf(stderr, "the program failed: %s\n", tc_error_text(&error));
            return false;
        }
        fflush(stdout);
    }
    return true;
}
