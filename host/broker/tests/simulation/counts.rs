//! What the schedules reached. What they never reach they do not test.

/// How often what happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) messages: u64,
    pub(crate) calls: u64,
    pub(crate) answers: u64,
    pub(crate) workers: u64,
    pub(crate) deaths: u64,
    pub(crate) cut: u64,
    pub(crate) killed: u64,
    pub(crate) stops: u64,
    pub(crate) stood_still: u64,
    pub(crate) retired: u64,
    pub(crate) taken_from_one_that_waits: u64,
    pub(crate) taken_back: u64,
    pub(crate) could_not_start: u64,
    pub(crate) lies: u64,
    pub(crate) violations: u64,
    pub(crate) results: u64,
    pub(crate) again: u64,
    pub(crate) lost: u64,
    pub(crate) timed_out: u64,
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
    pub(crate) programs: u64,
    pub(crate) killed_programs: u64,
    pub(crate) pools_failed: u64,
    pub(crate) cannot_begin: u64,
    pub(crate) redelivered: u64,
    pub(crate) left_locks: u64,
    pub(crate) deadlocks: u64,
    pub(crate) told: u64,
}

impl Counts {
    fn fields(&mut self) -> [(&'static str, &mut u64); 30] {
        [
            ("steps", &mut self.steps),
            ("messages", &mut self.messages),
            ("calls", &mut self.calls),
            ("answers", &mut self.answers),
            ("workers", &mut self.workers),
            ("deaths", &mut self.deaths),
            ("deaths with a frame half sent", &mut self.cut),
            ("kills by the broker", &mut self.killed),
            ("stopped workers", &mut self.stops),
            ("workers that stood still", &mut self.stood_still),
            ("workers let go", &mut self.retired),
            ("tasks that were taken back from one that waits", &mut self.taken_from_one_that_waits),
            ("tasks that were taken back", &mut self.taken_back),
            ("workers that could not start", &mut self.could_not_start),
            ("lies", &mut self.lies),
            ("violations", &mut self.violations),
            ("results", &mut self.results),
            ("results of a second attempt or later", &mut self.again),
            ("lost tasks", &mut self.lost),
            ("tasks over their time", &mut self.timed_out),
            ("cancelled tasks", &mut self.cancelled),
            ("tasks that waited too long", &mut self.expired),
            ("programs that ended well", &mut self.programs),
            ("programs that were killed", &mut self.killed_programs),
            ("pools that gave up", &mut self.pools_failed),
            ("pools whose guests could not begin", &mut self.cannot_begin),
            ("messages that were given again", &mut self.redelivered),
            ("locks of the dead", &mut self.left_locks),
            ("deadlocks told", &mut self.deadlocks),
            ("messages given up and told", &mut self.told),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mut other = other.clone();
        for ((_, mine), (_, theirs)) in self.fields().into_iter().zip(other.fields()) {
            *mine += *theirs;
        }
    }

    /// Unless only a few schedules were played.
    pub(crate) fn assert_covered(&mut self) {
        let all = format!("{self:?}");
        for (what, count) in self.fields() {
            assert!(*count >= 20, "only {count} {what}: {all}");
        }
    }
}
