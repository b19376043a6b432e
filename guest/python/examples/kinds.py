"""A task for every kind of value; ../../examples/types/wit/world.wit describes them.

It is not named `types`, as the world is: the standard library has a module of that name.
"""

import math
from dataclasses import replace
from typing import Any

import wit_world
from componentize_py_types import Err, Result
from wit_world import Weekday, WeekdayOff, exports
from wit_world.exports.shapes import Shape, Shape_Circle, Shape_Empty, Shape_Rectangle


def echo(self: Any, value: Any) -> Any:
    return value


def in_tuple(self: Any, value: Result[Any, Any]) -> tuple[Result[Any, Any]]:
    """A result as the whole answer tells how the task ended, so one that is meant as a value stands in a tuple."""
    return (value,)


class WitWorld(wit_world.WitWorld):
    echo_bool = echo_u8 = echo_u16 = echo_u32 = echo_u64 = echo_s8 = echo_s16 = echo_s32 = echo_s64 = echo
    echo_f32 = echo_f64 = echo_char = echo_string = echo_bytes = echo
    echo_list_u32 = echo_list_f64 = echo_list_bool = echo_list_char = echo_list_string = echo_list_list = echo
    echo_list_person = echo_list_bytes = echo_tuple = echo_record = echo_variant = echo_enum = echo_flags = echo
    echo_many_flags = echo_option = echo_option_option = echo_option_record = echo_nested = echo
    echo_numbers = echo_lists = echo_options = echo_results = echo
    echo_result = echo_result_ok = echo_result_error = echo_result_empty = in_tuple

    def two_params(self, a: int, b: str) -> str:
        return f"{a} {b}"

    def many_params(self, *parameters: Any) -> int:
        *numbers, text = parameters
        return sum(numbers) + len(text.encode())

    def no_params(self) -> int:
        return 42

    def no_result(self, n: int) -> None:
        pass

    def nothing(self) -> None:
        pass

    def fallible(self, n: int) -> int:
        if n % 2:
            raise Err(f"{n} is odd")
        return n

    def half(self, n: int) -> int:
        if n % 2:
            raise Err(None)
        return n // 2

    def even(self, n: int) -> None:
        if n % 2:
            raise Err(None)

    def work_on(self, day: Weekday) -> None:
        if day is Weekday.SUNDAY:
            raise Err(WeekdayOff(day, "a day of rest"))

    def panics(self, message: str) -> None:
        """Any exception but `Err` is a trap; its traceback is what the task prints."""
        raise RuntimeError(message)

    def greet_many(self, names: list[str]) -> list[str]:
        return [f"Hello, {name}!" for name in names]

    def repeat(self, text: str, times: int) -> str:
        return text * times


class Shapes(exports.Shapes):
    """An exported interface is a class of its own."""

    def area(self, shape: Shape) -> float:
        match shape:
            case Shape_Circle(radius):
                return math.pi * radius * radius
            case Shape_Rectangle(size):
                return size.width * size.height
            case Shape_Empty():
                return 0.0

    def scale(self, shape: Shape, factor: float) -> Shape:
        match shape:
            case Shape_Circle(radius):
                return Shape_Circle(radius * factor)
            case Shape_Rectangle(size):
                return Shape_Rectangle(replace(size, width=size.width * factor, height=size.height * factor))
            case Shape_Empty():
                return shape
