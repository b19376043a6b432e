// The tasks; wit/world.wit describes them, and bindings/tasks.h, which is made of it, says how they look in C.

#include "tasks.h"
#include "taskcell.h"

void exports_tasks_greet(tasks_string_t *name, tasks_string_t *ret) {
    tc_format(ret, "Hello, %.*s!", tc_arg(name));
    tasks_string_free(name);
}

// A task that can fail gives `true` and `*ret`, or `false` and `*err`.
bool exports_tasks_summarize(tasks_list_f64_t *numbers, tasks_summary_t *ret, tasks_string_t *err) {
    if (!numbers->len)
        return tc_fail(err, "there are no numbers");
    *ret = (tasks_summary_t){.count = (uint32_t)numbers->len, .smallest = numbers->ptr[0], .largest = numbers->ptr[0]};
    tc_each(number, numbers) {
        ret->sum += *number;
        if (*number < ret->smallest)
            ret->smallest = *number;
        if (*number > ret->largest)
            ret->largest = *number;
    }
    ret->mean = ret->sum / ret->count;
    tasks_list_f64_free(numbers);
    return true;
}
