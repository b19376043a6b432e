//! Counts the memory that this test's thread has in use.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one only counts and passes on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes in use, by this thread's account, and the most since the last look.
    static USED: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn more(bytes: usize) {
    let used = USED.get().wrapping_add(bytes);
    USED.set(used);
    // What another thread allocated and this one freed could bring it below zero.
    if used <= isize::MAX as usize && used > PEAK.get() {
        PEAK.set(used);
    }
}

fn less(bytes: usize) {
    USED.set(USED.get().wrapping_sub(bytes));
}

// SAFETY: every call is passed on to the system's allocator as it came. The counters are plain cells without destructors, so touching
// them allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        less(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs `act`; gives its result and the most memory that it had in use at a time, beyond what was in use before.
pub(crate) fn peak<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.get();
    PEAK.set(before);
    let result = act();
    (result, PEAK.get().saturating_sub(before))
}
