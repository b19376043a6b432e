//! A function for every kind of value, for a host's tests; `wit/world.wit` describes them.

#![allow(clippy::too_many_arguments, reason = "`many-params` is there to have many")]

use self::exports::example::types::shapes::{Guest as Shapes, Shape};

taskcell_guest::generate!(additional_derives: [PartialEq]);

struct Types;

export!(Types);

/// The bodies of functions that return what they were given.
macro_rules! echo {
    ($($name:ident: $type:ty,)*) => {
        $(fn $name(value: $type) -> $type {
            value
        })*
    };
}

impl Guest for Types {
    echo! {
        echo_bool: bool,
        echo_u8: u8,
        echo_u16: u16,
        echo_u32: u32,
        echo_u64: u64,
        echo_s8: i8,
        echo_s16: i16,
        echo_s32: i32,
        echo_s64: i64,
        echo_f32: f32,
        echo_f64: f64,
        echo_char: char,
        echo_string: String,
        echo_bytes: Vec<u8>,
        echo_list_u32: Vec<u32>,
        echo_list_f64: Vec<f64>,
        echo_list_bool: Vec<bool>,
        echo_list_char: Vec<char>,
        echo_list_string: Vec<String>,
        echo_list_list: Vec<Vec<i16>>,
        echo_list_person: Vec<Person>,
        echo_list_bytes: Vec<Vec<u8>>,
        echo_tuple: (u8, String, f64),
        echo_record: Person,
        echo_variant: Filter,
        echo_enum: Weekday,
        echo_flags: Permissions,
        echo_many_flags: ManyFlags,
        echo_option: Option<u32>,
        echo_option_option: Option<Option<u32>>,
        echo_option_record: Option<Person>,
        echo_numbers: Numbers,
        echo_lists: Lists,
        echo_options: Options,
        echo_results: Results,
        echo_nested: Nested,
    }

    fn echo_result(value: Result<u32, String>) -> (Result<u32, String>,) {
        (value,)
    }

    fn echo_result_ok(value: Result<u32, ()>) -> (Result<u32, ()>,) {
        (value,)
    }

    fn echo_result_error(value: Result<(), String>) -> (Result<(), String>,) {
        (value,)
    }

    fn echo_result_empty(value: Result<(), ()>) -> (Result<(), ()>,) {
        (value,)
    }

    fn two_params(a: u32, b: String) -> String {
        format!("{a} {b}")
    }

    fn many_params(
        p1: u8,
        p2: u16,
        p3: u32,
        p4: u64,
        p5: i8,
        p6: i16,
        p7: i32,
        p8: i64,
        p9: u8,
        p10: u8,
        p11: u8,
        p12: u8,
        p13: u8,
        p14: u8,
        p15: u8,
        p16: u8,
        p17: String,
    ) -> i64 {
        let bytes = [p1, p9, p10, p11, p12, p13, p14, p15, p16].into_iter().map(i64::from).sum::<i64>();
        let unsigned = i64::from(p2) + i64::from(p3) + p4 as i64;
        let signed = i64::from(p5) + i64::from(p6) + i64::from(p7) + p8;
        bytes + unsigned + signed + p17.len() as i64
    }

    fn no_params() -> u32 {
        42
    }

    fn no_result(_n: u32) {}

    fn nothing() {}

    fn fallible(n: u32) -> Result<u32, String> {
        if n.is_multiple_of(2) { Ok(n) } else { Err(format!("{n} is odd")) }
    }

    fn half(n: u32) -> Result<u32, ()> {
        if n.is_multiple_of(2) { Ok(n / 2) } else { Err(()) }
    }

    fn even(n: u32) -> Result<(), ()> {
        if n.is_multiple_of(2) { Ok(()) } else { Err(()) }
    }

    fn work_on(day: Weekday) -> Result<(), WeekdayOff> {
        if day == Weekday::Sunday {
            return Err(WeekdayOff { day, reason: "a day of rest".to_owned() });
        }
        Ok(())
    }

    fn panics(message: String) {
        panic!("{message}");
    }

    fn greet_many(names: Vec<String>) -> Vec<String> {
        names.into_iter().map(|name| format!("Hello, {name}!")).collect()
    }

    fn repeat(text: String, times: u32) -> String {
        text.repeat(times as usize)
    }
}

impl Shapes for Types {
    fn area(shape: Shape) -> f64 {
        match shape {
            Shape::Circle(radius) => std::f64::consts::PI * radius * radius,
            Shape::Rectangle(Size { width, height }) => width * height,
            Shape::Empty => 0.0,
        }
    }

    fn scale(shape: Shape, factor: f64) -> Shape {
        match shape {
            Shape::Circle(radius) => Shape::Circle(radius * factor),
            Shape::Rectangle(Size { width, height }) => Shape::Rectangle(Size { width: width * factor, height: height * factor }),
            Shape::Empty => Shape::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallible_fails_on_odd_numbers() {
        assert_eq!(Types::fallible(4), Ok(4));
        assert_eq!(Types::fallible(7), Err("7 is odd".to_owned()));
        assert_eq!((Types::half(6), Types::half(7)), (Ok(3), Err(())));
        assert_eq!((Types::even(6), Types::even(7)), (Ok(()), Err(())));
    }

    #[test]
    fn work_on_fails_on_sundays() {
        assert!(Types::work_on(Weekday::Monday).is_ok());
        assert_eq!(Types::work_on(Weekday::Sunday).map_err(|off| off.day), Err(Weekday::Sunday));
    }

    #[test]
    fn many_params_are_all_added() {
        let sum = Types::many_params(1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1, "four".to_owned());
        assert_eq!(sum, 12);
    }

    #[test]
    fn shapes_scale_with_the_square() {
        let rectangle = Shape::Rectangle(Size { width: 2.0, height: 3.0 });
        assert_eq!(Types::area(Types::scale(rectangle, 2.0)), 24.0);
        assert_eq!(Types::area(Shape::Empty), 0.0);
    }
}
