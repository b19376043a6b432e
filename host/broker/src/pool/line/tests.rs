//! The line by itself: order, gaps, jobs, moments.

use super::*;

fn waiting(job: u64, first: u64, start_by: Option<u64>) -> Chunk {
    Chunk { job: JobId(job), first, count: 1, items: vec![0].into(), history: Vec::new(), start_by: start_by.map(Now) }
}

fn firsts(chunks: impl IntoIterator<Item = Chunk>) -> Vec<u64> {
    chunks.into_iter().map(|chunk| chunk.first).collect()
}

#[test]
fn chunks_leave_in_order_from_both_ends() {
    let (mut line, mut lane) = (Line::default(), Lane::default());
    (0..3).for_each(|first| line.push_back(&mut lane, waiting(1, first, None)));
    line.push_front(&mut lane, waiting(1, 9, None));
    assert_eq!((line.len(), line.front().map(|front| front.first)), (4, Some(9)));
    assert_eq!(firsts(std::iter::from_fn(|| line.pop_front(Some(&mut lane)))), [9, 0, 1, 2]);
    assert!(line.is_empty());
    assert_eq!(lane, Lane::default());
}

#[test]
fn a_jobs_chunks_are_found_among_others() {
    let mut line = Line::default();
    let mut lanes = [Lane::default(), Lane::default(), Lane::default()];
    for first in 0..6 {
        line.push_back(&mut lanes[(first % 3) as usize], waiting(first % 3, first, Some(first)));
    }
    assert_eq!(firsts(line.take_lane(&mut lanes[1])), [1, 4]);
    assert_eq!(firsts(line.take_lane(&mut lanes[1])), []);
    assert_eq!((line.next_due(), line.len()), (Some(Now(0)), 4));
    assert_eq!(firsts(line.drain()), [0, 2, 3, 5]);
    assert_eq!((line.len(), line.next_due()), (0, None));
}

#[test]
fn what_is_due_leaves_from_any_place() {
    let (mut line, mut lane) = (Line::default(), Lane::default());
    for (first, start_by) in [(0, None), (1, Some(30)), (2, Some(10)), (3, Some(20))] {
        line.push_back(&mut lane, waiting(1, first, start_by));
    }
    assert_eq!((line.pop_due(Now(9)), line.next_due()), (None, Some(Now(10))));
    let mut due = Vec::new();
    while let Some((place, chunk)) = line.pop_due(Now(20)) {
        lane.remove(place);
        due.push(chunk);
    }
    assert_eq!((firsts(due), line.next_due(), line.len()), (vec![2, 3], Some(Now(30)), 2));
    assert_eq!(firsts(line.take_lane(&mut lane)), [0, 1]);
}

#[test]
fn a_refusal_holds_until_another_is_in_front() {
    let (mut line, mut lane) = (Line::default(), Lane::default());
    line.push_back(&mut lane, waiting(1, 0, Some(5)));
    line.refuse();
    line.push_back(&mut lane, waiting(1, 1, None));
    assert!(line.is_refused());
    assert!(line.pop_due(Now(5)).is_some() && !line.is_refused());
    line.refuse();
    line.push_front(&mut lane, waiting(1, 2, None));
    assert!(!line.is_refused());
    line.refuse();
    line.offer();
    assert!(!line.is_refused());
}

#[test]
fn gaps_behind_one_that_waits_for_ever_do_not_pile_up() {
    let mut line = Line::default();
    line.push_back(&mut Lane::default(), waiting(0, 0, None));
    let mut last = Lane::default();
    line.push_back(&mut last, waiting(1, 1, None));
    for first in 2..10_000 {
        let mut lane = Lane::default();
        line.push_back(&mut lane, waiting(first, first, None));
        assert_eq!(firsts(line.take_lane(&mut last)), [first - 1]);
        last = lane;
        assert_eq!(line.len(), 2);
        assert!(line.chunks.len() <= 4, "{} places for two chunks", line.chunks.len());
    }
    assert_eq!(firsts(line.drain()), [0, 9_999]);
}

#[test]
fn what_comes_later_comes_at_its_moment() {
    let mut later = Later::default();
    for (at, first) in [(5, 1), (3, 2), (5, 3)] {
        later.push(Now(at), waiting(first % 2, first, None));
    }
    assert_eq!((later.next_due(), later.pop_due(Now(2))), (Some(Now(3)), None));
    assert_eq!(later.pop_due(Now(4)).map(|chunk| chunk.first), Some(2));
    assert_eq!((firsts(later.take_job(JobId(0))), firsts(later.take_job(JobId(1)))), (vec![], vec![1, 3]));
    assert!(later.is_empty() && later.of_job.is_empty());
}
