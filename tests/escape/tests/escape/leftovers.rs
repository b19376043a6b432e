//! After all cases this process must be as it was: no child, no descriptor and no thread more.

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use crate::stage::PATIENCE;

/// Descriptors and threads as they were.
pub(crate) struct Before {
    descriptors: BTreeSet<String>,
    threads: BTreeSet<String>,
}

impl Before {
    pub(crate) fn look() -> Self {
        Self { descriptors: descriptors(), threads: names("/proc/self/task") }
    }

    /// Waits a while: a thread that ends is listed a moment longer.
    pub(crate) fn assert_nothing_is_left(&self) {
        let began = Instant::now();
        loop {
            let children = children();
            let threads: Vec<String> = names("/proc/self/task").difference(&self.threads).cloned().collect();
            let descriptors: Vec<String> = descriptors().difference(&self.descriptors).cloned().collect();
            if children.is_empty() && threads.is_empty() && descriptors.is_empty() {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "left behind: children {children:?}, threads {threads:?}, descriptors {descriptors:?}"
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn names(folder: &str) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Each with what it stands for. The one that lists them is gone by the time that it is read, and so is not among them.
fn descriptors() -> BTreeSet<String> {
    let target = |number: &String| Some(format!("{number} {}", fs::read_link(format!("/proc/self/fd/{number}")).ok()?.display()));
    names("/proc/self/fd").iter().filter_map(target).collect()
}

/// Processes whose parent is this one; those that wait to be reaped count too.
fn children() -> Vec<String> {
    let own = std::process::id().to_string();
    let is_ours = |stat: &String| {
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
        fields.is_some_and(|fields| fields.split_ascii_whitespace().nth(1) == Some(own.as_str()))
    };
    names("/proc").iter().filter_map(|name| fs::read_to_string(format!("/proc/{name}/stat")).ok()).filter(is_ours).collect()
}
