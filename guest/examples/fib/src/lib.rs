//! The smallest tasks there are; `wit/world.wit` describes them.

taskcell_guest::generate!();

struct Fib;

impl Guest for Fib {
    fn fib(n: u32) -> u64 {
        fib(n)
    }

    fn sum(numbers: Vec<u32>) -> u64 {
        numbers.into_iter().map(u64::from).sum()
    }

    fn echo(data: Vec<u8>) -> Vec<u8> {
        data
    }

    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

export!(Fib);

fn fib(n: u32) -> u64 {
    if n < 2 { n.into() } else { fib(n - 1).wrapping_add(fib(n - 2)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fib_starts_at_zero() {
        let first: Vec<u64> = (0..10).map(fib).collect();
        assert_eq!(first, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]);
    }

    #[test]
    fn sum_is_wider_than_its_numbers() {
        assert_eq!(Fib::sum(vec![u32::MAX, u32::MAX, 1]), 8_589_934_591);
        assert_eq!(Fib::sum(Vec::new()), 0);
    }

    #[test]
    fn echo_keeps_every_byte() {
        let every_byte: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(Fib::echo(every_byte.clone()), every_byte);
    }

    #[test]
    fn greet_takes_any_name() {
        assert_eq!(Fib::greet("Zoë".to_owned()), "Hello, Zoë!");
    }
}
