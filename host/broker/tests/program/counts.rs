//! What the histories reached. What they never reach they do not test.

/// How often what happened.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) answers: u64,
    pub(crate) parked: u64,
    pub(crate) timed_out: u64,
    pub(crate) cancelled: u64,
    pub(crate) closed: u64,
    pub(crate) deadlocks: u64,
    pub(crate) quotas: u64,
    pub(crate) messages: u64,
    pub(crate) numbers: u64,
    pub(crate) processes: u64,
    pub(crate) futures: u64,
    pub(crate) maps: u64,
    pub(crate) mapped: u64,
    pub(crate) ends: u64,
    pub(crate) begun: u64,
    pub(crate) given: u64,
    pub(crate) results: u64,
    pub(crate) deaths: u64,
    pub(crate) orphans: u64,
    pub(crate) failures: u64,
    pub(crate) out_of_turn: u64,
    pub(crate) guesses: u64,
    pub(crate) places: u64,
    pub(crate) patience: u64,
    pub(crate) given_up: u64,
    pub(crate) chunks: u64,
    pub(crate) again: u64,
    pub(crate) abandoned: u64,
    pub(crate) lent: u64,
}

impl Counts {
    fn fields(&self) -> [(&'static str, u64); 30] {
        [
            ("calls", self.calls),
            ("answers", self.answers),
            ("calls that waited", self.parked),
            ("timeouts", self.timed_out),
            ("cancelled calls", self.cancelled),
            ("closed", self.closed),
            ("deadlocks", self.deadlocks),
            ("quotas", self.quotas),
            ("messages", self.messages),
            ("maps looked at", self.numbers),
            ("processes", self.processes),
            ("futures", self.futures),
            ("maps of values", self.maps),
            ("mapped outcomes", self.mapped),
            ("ends that were told", self.ends),
            ("attempts", self.begun),
            ("handles given", self.given),
            ("results", self.results),
            ("deaths", self.deaths),
            ("orphans", self.orphans),
            ("pools that failed", self.failures),
            ("calls out of turn", self.out_of_turn),
            ("guesses", self.guesses),
            ("wait-any answers", self.places),
            ("patience lost", self.patience),
            ("pools that gave up", self.given_up),
            ("chunks", self.chunks),
            ("attempts tried again", self.again),
            ("abandoned calls", self.abandoned),
            ("calls made out of loans", self.lent),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mine = [
            &mut self.calls,
            &mut self.answers,
            &mut self.parked,
            &mut self.timed_out,
            &mut self.cancelled,
            &mut self.closed,
            &mut self.deadlocks,
            &mut self.quotas,
            &mut self.messages,
            &mut self.numbers,
            &mut self.processes,
            &mut self.futures,
            &mut self.maps,
            &mut self.mapped,
            &mut self.ends,
            &mut self.begun,
            &mut self.given,
            &mut self.results,
            &mut self.deaths,
            &mut self.orphans,
            &mut self.failures,
            &mut self.out_of_turn,
            &mut self.guesses,
            &mut self.places,
            &mut self.patience,
            &mut self.given_up,
            &mut self.chunks,
            &mut self.again,
            &mut self.abandoned,
            &mut self.lent,
        ];
        for (mine, (_, theirs)) in mine.into_iter().zip(other.fields()) {
            *mine += theirs;
        }
    }

    /// Unless only a few histories were played.
    pub(crate) fn assert_covered(&self) {
        if self.calls > 250_000 {
            for (what, count) in self.fields() {
                assert!(count >= 20, "only {count} {what}: {self:?}");
            }
        }
    }
}
