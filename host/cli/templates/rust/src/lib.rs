//! The tasks; `wit/world.wit` describes them.

// Makes the trait `Guest` and the types out of `wit/world.wit`.
wit_bindgen::generate!();

struct Tasks;

export!(Tasks);

impl Guest for Tasks {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }

    fn summarize(numbers: Vec<f64>) -> Result<Summary, String> {
        if numbers.is_empty() {
            return Err("there are no numbers".to_owned());
        }
        let sum: f64 = numbers.iter().sum();
        Ok(Summary {
            count: numbers.len() as u32,
            sum,
            mean: sum / numbers.len() as f64,
            smallest: numbers.iter().copied().fold(f64::INFINITY, f64::min),
            largest: numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_summarized() {
        let summary = Tasks::summarize(vec![1.0, 2.0, 6.0]).expect("there are numbers");
        assert_eq!((summary.count, summary.sum, summary.mean), (3, 9.0, 3.0));
        assert!(Tasks::summarize(Vec::new()).is_err());
    }
}
