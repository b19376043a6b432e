// Conveniences for tasks in C, over the bindings that wit-bindgen writes. Include the bindings first:
//
//     #include "fib.h"
//     #include "taskcell.h"
//
// Who owns what. A task owns its arguments and frees them, or hands their memory on. What it returns is freed by the bindings, with
// `free`: so it is on the heap, never a literal and never on the stack. An instance ends with its task unless the host was asked to
// reuse it, so a task that forgets to free costs memory only while it runs.
//
// Strings and lists of the bindings are structs of `ptr` and `len`; a string is UTF-8 and has no zero at its end. The macros here take
// pointers to any of them.
//
// How a task fails: one that returns WIT's `result` returns `false` and sets the error; what can't go on calls `tc_trap`.

#ifndef TASKCELL_H
#define TASKCELL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Ends this task, and no other: the host reports a trap.
#define tc_trap() __builtin_trap()

/// Zeroed memory for `count` things of `size` bytes. Traps where there is none, so it never gives NULL.
static inline void *tc_alloc(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        tc_trap();
    return memory;
}

/// A copy of `len` bytes on the heap.
static inline void *tc_copied(const void *from, size_t len) {
    void *copy = tc_alloc(len, 1);
    if (len)
        memcpy(copy, from, len);
    return copy;
}

/// Makes the list `*list` one of `count` zeroed elements.
#define tc_list(list, count) ((list)->len = (count), (list)->ptr = tc_alloc((list)->len, sizeof *(list)->ptr))

/// Makes the string or byte list `*to` a copy of `count` bytes.
#define tc_set(to, from, count) ((to)->len = (count), (to)->ptr = tc_copied((from), (to)->len))

/// Makes `*to` a copy of what it is in `*from`, a string or a list of plain numbers.
#define tc_clone(to, from) ((to)->len = (from)->len, (to)->ptr = tc_copied((from)->ptr, (from)->len * sizeof *(from)->ptr))

/// Makes the string `*to` a copy of a zero-terminated one.
#define tc_text(to, text) tc_set(to, text, strlen(text))

/// Makes the string `*to` what `printf` would print.
#define tc_format(to, ...) ((to)->ptr = (uint8_t *)tc_printed(&(to)->len, __VA_ARGS__))

/// The error of a task: `return tc_fail(err, "%u is odd", n);`
#define tc_fail(err, ...) (tc_format(err, __VA_ARGS__), false)

/// Whether the string `*string` is the zero-terminated `text`.
#define tc_is(string, text) ((string)->len == strlen(text) && !memcmp((string)->ptr, (text), (string)->len))

/// The arguments of `%.*s` for the string `*string`.
#define tc_arg(string) (int)(string)->len, (const char *)(string)->ptr

/// Walks over a list: `tc_each(number, numbers) sum += *number;`
#define tc_each(item, list) for (__typeof__((list)->ptr) item = (list)->ptr; item != (list)->ptr + (list)->len; item++)

__attribute__((format(printf, 2, 3))) static inline char *tc_printed(size_t *len, const char *format, ...) {
    va_list values;
    va_start(values, format);
    int needed = vsnprintf(NULL, 0, format, values);
    va_end(values);
    if (needed < 0)
        tc_trap();
    char *text = (char *)tc_alloc((size_t)needed + 1, 1);
    va_start(values, format);
    vsnprintf(text, (size_t)needed + 1, format, values);
    va_end(values);
    *len = (size_t)needed;
    return text;
}

#endif
