//! Five processes that write into one map.

use taskcell_guest::{Process, Result, SharedMap, task};

#[task]
fn modify_data(shared_dict: SharedMap<String, u32>, key: String, value: u32) -> Result {
    shared_dict.set(&key, &value)?;
    Ok(())
}

#[taskcell_guest::main]
fn main() -> Result {
    let shared_dict = SharedMap::<String, u32>::new()?;
    let processes = (0..5).map(|i| Process::spawn("modify-data", (&shared_dict, format!("key_{i}"), i)));
    let processes = processes.collect::<Result<Vec<_>>>()?;
    for process in processes {
        process.join::<()>()?;
    }
    let items = shared_dict.items().collect::<Result<Vec<_>>>()?;
    println!("Shared data: {}", show(&items));
    Ok(())
}

/// As Python shows it.
fn show(items: &[(String, u32)]) -> String {
    let items: Vec<String> = items.iter().map(|(key, value)| format!("'{key}': {value}")).collect();
    format!("{{{}}}", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_shown_as_python_does() {
        assert_eq!(show(&[]), "{}");
        assert_eq!(show(&[("key_0".to_owned(), 0), ("key_1".to_owned(), 1)]), "{'key_0': 0, 'key_1': 1}");
    }
}
