// The smallest tasks there are; ../../examples/fib/wit/world.wit describes them.

#include "fib.h"
#include "taskcell.h"

static uint64_t fib(uint32_t n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64_t exports_fib_fib(uint32_t n) {
    return fib(n);
}

uint64_t exports_fib_sum(fib_list_u32_t *numbers) {
    uint64_t sum = 0;
    tc_each(number, numbers) sum += *number;
    fib_list_u32_free(numbers);
    return sum;
}

void exports_fib_echo(fib_list_u8_t *data, fib_list_u8_t *ret) {
    // The memory is the task's own, so it can be what the task returns.
    *ret = *data;
}

void exports_fib_greet(fib_string_t *name, fib_string_t *ret) {
    tc_format(ret, "Hello, %.*s!", tc_arg(name));
    fib_string_free(name);
}
