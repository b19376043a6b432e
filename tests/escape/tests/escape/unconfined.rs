//! A double that is not locked up says that it is. It must never be given a task.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Case;
use crate::early::{UNCONFINED, note_of_task};
use crate::liars::stops;
use crate::stage::{PATIENCE, assert_right, map, ordered, probe};

pub(crate) fn cases() -> Vec<Case> {
    UNCONFINED
        .iter()
        .flat_map(|(order, field)| -> [Case; 2] {
            [
                (format!("unconfined workers are refused: {order}"), Box::new(move || all_are_refused(order, field))),
                (format!("an unconfined worker gets no task: {order}"), Box::new(move || one_gets_no_task(order))),
            ]
        })
        .collect()
}

fn all_are_refused(order: &str, field: &str) {
    let pool = ordered(order, None);
    let text = stops(&pool);
    assert!(text.contains("not confined") && text.contains(field), "expected the pool to stop since {field} is wrong: {text}");
    assert!(pool.wait_ready(1, PATIENCE).is_err());
}

fn one_gets_no_task(order: &str) {
    let folder = Folder::new();
    let pool = ordered(order, Some(&folder.mark()));
    let inputs: Vec<u32> = (0..1000).map(|n| n % 90).collect();
    assert_right(&inputs, &map(&pool, inputs.clone()), &[]);
    pool.wait_ready(2, PATIENCE).unwrap();
    probe(&pool);
    assert!(folder.mark().exists(), "no worker was unconfined");
    assert!(!note_of_task(&folder.mark()).exists(), "an unconfined worker was given a task");
}

/// A folder for marks, removed with this.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("taskcell-escape-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// What the first worker makes.
    pub(crate) fn mark(&self) -> PathBuf {
        self.0.join("mark")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
