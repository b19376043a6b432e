// A task for every kind of value; ../../examples/types/wit/world.wit describes them.

#include "types.h"
#include "taskcell.h"

// What is passed by value.
#define ECHO(name, type)                                                                                                           \
    type exports_types_echo_##name(type value) {                                                                                   \
        return value;                                                                                                              \
    }

// What is passed by pointer: its memory is the task's own, and goes on to the caller.
#define ECHO_OWNED(name, type)                                                                                                     \
    void exports_types_echo_##name(type *value, type *ret) {                                                                       \
        *ret = *value;                                                                                                             \
    }

// An absent option is NULL as an argument, and `false` as what is returned.
#define ECHO_OPTION(name, type)                                                                                                    \
    bool exports_types_echo_##name(type *value, type *ret) {                                                                       \
        if (value)                                                                                                                 \
            *ret = *value;                                                                                                         \
        return value;                                                                                                              \
    }

// A result as the whole answer tells how the task ended, so that one which is meant as a value stands in a tuple.
#define ECHO_RESULT(name, type, tuple)                                                                                             \
    void exports_types_echo_##name(type *value, tuple *ret) {                                                                      \
        ret->f0 = *value;                                                                                                          \
    }

ECHO(bool, bool)
ECHO(u8, uint8_t)
ECHO(u16, uint16_t)
ECHO(u32, uint32_t)
ECHO(u64, uint64_t)
ECHO(s8, int8_t)
ECHO(s16, int16_t)
ECHO(s32, int32_t)
ECHO(s64, int64_t)
ECHO(f32, float)
ECHO(f64, double)
ECHO(char, uint32_t)
ECHO(enum, types_weekday_t)
ECHO(flags, types_permissions_t)
ECHO(many_flags, types_many_flags_t)

ECHO_OWNED(string, types_string_t)
ECHO_OWNED(bytes, types_list_u8_t)
ECHO_OWNED(list_u32, types_list_u32_t)
ECHO_OWNED(list_f64, types_list_f64_t)
ECHO_OWNED(list_bool, types_list_bool_t)
ECHO_OWNED(list_char, types_list_char32_t)
ECHO_OWNED(list_string, types_list_string_t)
ECHO_OWNED(list_list, types_list_list_s16_t)
ECHO_OWNED(list_person, types_list_person_t)
ECHO_OWNED(list_bytes, types_list_list_u8_t)
ECHO_OWNED(tuple, types_tuple3_u8_string_f64_t)
ECHO_OWNED(record, types_person_t)
ECHO_OWNED(variant, types_filter_t)
ECHO_OWNED(numbers, types_numbers_t)
ECHO_OWNED(lists, types_lists_t)
ECHO_OWNED(options, types_options_t)
ECHO_OWNED(results, types_results_t)
ECHO_OWNED(nested, types_nested_t)

ECHO_OPTION(option, uint32_t)
ECHO_OPTION(option_option, types_option_u32_t)
ECHO_OPTION(option_record, types_person_t)

ECHO_RESULT(result, types_result_u32_string_t, types_tuple1_result_u32_string_t)
ECHO_RESULT(result_ok, types_result_u32_void_t, types_tuple1_result_u32_void_t)
ECHO_RESULT(result_error, types_result_void_string_t, types_tuple1_result_void_string_t)
ECHO_RESULT(result_empty, types_result_void_void_t, types_tuple1_result_void_void_t)

void exports_types_two_params(uint32_t a, types_string_t *b, types_string_t *ret) {
    tc_format(ret, "%u %.*s", a, tc_arg(b));
    types_string_free(b);
}

int64_t exports_types_many_params(uint8_t p1, uint16_t p2, uint32_t p3, uint64_t p4, int8_t p5, int16_t p6, int32_t p7, int64_t p8,
                                  uint8_t p9, uint8_t p10, uint8_t p11, uint8_t p12, uint8_t p13, uint8_t p14, uint8_t p15,
                                  uint8_t p16, types_string_t *p17) {
    int64_t bytes = p1 + p9 + p10 + p11 + p12 + p13 + p14 + p15 + p16;
    int64_t sum = bytes + p2 + p3 + (int64_t)p4 + p5 + p6 + p7 + p8 + (int64_t)p17->len;
    types_string_free(p17);
    return sum;
}

uint32_t exports_types_no_params(void) {
    return 42;
}

void exports_types_no_result(uint32_t n) {
    (void)n;
}

void exports_types_nothing(void) {}

bool exports_types_fallible(uint32_t n, uint32_t *ret, types_string_t *err) {
    if (n % 2)
        return tc_fail(err, "%u is odd", n);
    *ret = n;
    return true;
}

// A result whose error carries nothing has no place for it.
bool exports_types_half(uint32_t n, uint32_t *ret) {
    *ret = n / 2;
    return n % 2 == 0;
}

bool exports_types_even(uint32_t n) {
    return n % 2 == 0;
}

bool exports_types_work_on(types_weekday_t day, types_weekday_off_t *err) {
    if (day != TYPES_WEEKDAY_SUNDAY)
        return true;
    err->day = day;
    tc_text(&err->reason, "a day of rest");
    return false;
}

void exports_types_panics(types_string_t *message) {
    fprintf(stderr, "%.*s\n", tc_arg(message));
    tc_trap();
}

void exports_types_greet_many(types_list_string_t *names, types_list_string_t *ret) {
    tc_list(ret, names->len);
    for (size_t at = 0; at < names->len; at++)
        tc_format(&ret->ptr[at], "Hello, %.*s!", tc_arg(&names->ptr[at]));
    types_list_string_free(names);
}

void exports_types_repeat(types_string_t *text, uint32_t times, types_string_t *ret) {
    size_t len;
    if (__builtin_mul_overflow(text->len, times, &len))
        tc_trap();
    ret->len = len;
    ret->ptr = tc_alloc(len, 1);
    for (uint32_t time = 0; time < times && text->len; time++)
        memcpy(ret->ptr + time * text->len, text->ptr, text->len);
    types_string_free(text);
}

double exports_example_types_shapes_area(exports_example_types_shapes_shape_t *shape) {
    switch (shape->tag) {
    case EXPORTS_EXAMPLE_TYPES_SHAPES_SHAPE_CIRCLE:
        return 3.141592653589793 * shape->val.circle * shape->val.circle;
    case EXPORTS_EXAMPLE_TYPES_SHAPES_SHAPE_RECTANGLE:
        return shape->val.rectangle.width * shape->val.rectangle.height;
    default:
        return 0;
    }
}

void exports_example_types_shapes_scale(exports_example_types_shapes_shape_t *shape, double factor,
                                        exports_example_types_shapes_shape_t *ret) {
    *ret = *shape;
    if (shape->tag == EXPORTS_EXAMPLE_TYPES_SHAPES_SHAPE_CIRCLE) {
        ret->val.circle *= factor;
    } else if (shape->tag == EXPORTS_EXAMPLE_TYPES_SHAPES_SHAPE_RECTANGLE) {
        ret->val.rectangle.width *= factor;
        ret->val.rectangle.height *= factor;
    }
}
