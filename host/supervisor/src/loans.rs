//! What workers do with what they were lent: read out of shared memory, and told to the broker before anything that it could change.
//!
//! The broker decides what is lent and when it is over ([`taskcell_broker::Broker::in_the_way`]); how both sides keep to it is in
//! [`taskcell_worker::loan`].

use taskcell_broker::Violation;
use taskcell_wire::call::{Call, Loan};
use taskcell_wire::{FromWorker, WorkerId, codec};
use taskcell_worker::loan;

use crate::dispatcher::Dispatcher;
use crate::link::Link;

/// Room or messages go to a worker with the answer to come. Until then it stands still.
pub(crate) fn lend(link: &mut Link, loan: &Loan<'_>) {
    match loan {
        Loan::Room { .. } => {
            loan::lend_room(&link.memory);
            link.room = Some(0);
        }
        Loan::Messages(_) => {
            loan::lend_messages(&link.memory);
            link.lent = Some(0);
        }
    }
}

/// Tells the broker what a worker posted and took since that was last told.
pub(crate) fn told(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link) -> Result<(), Violation> {
    let now = dispatcher.now();
    if let Some(before) = link.lent {
        let taken = loan::taken(&link.memory);
        if taken != before {
            link.lent = Some(taken);
            dispatcher.listener.posted(id, link);
            dispatcher.broker.taken(now, id, taken)?;
        }
    }
    if !link.has_posted() {
        return Ok(());
    }
    let mut space = std::mem::take(&mut dispatcher.posts);
    let (seen, posts) = loan::read_posts(&link.memory, link.room.unwrap_or(0), &mut space);
    link.room = Some(seen);
    let result = dispatcher.broker.posted(now, id, posts.map(|frame| call(frame.map_err(|_| Violation::Malformed)?)));
    dispatcher.posts = space;
    dispatcher.listener.posted(id, link);
    result
}

fn call(frame: &[u8]) -> Result<Call<'_>, Violation> {
    let message = codec::decode::<FromWorker<'_>>(frame).map_err(|_| Violation::Malformed)?;
    if let FromWorker::Call(_, call) = message { Ok(call) } else { Err(Violation::OutOfTurn) }
}

/// Before a call is made: all that others did with loans of the same thing is told, and loans are taken back that the call could tell of.
pub(crate) fn clear_the_way(
    dispatcher: &mut Dispatcher,
    id: WorkerId,
    link: &mut Link,
    call: &Call<'_>,
) -> Result<(), Violation> {
    if link.room.is_some() {
        loan::restart(&link.memory);
        link.room = Some(0);
    }
    for other in dispatcher.broker.borrowers(id, call) {
        with_link(dispatcher, other, told);
    }
    for other in dispatcher.broker.in_the_way(id, call) {
        if other == id {
            taken_back(dispatcher, id, link)?;
        } else {
            recover(dispatcher, other);
        }
    }
    Ok(())
}

/// Takes back what a worker was lent.
pub(crate) fn recover(dispatcher: &mut Dispatcher, id: WorkerId) {
    with_link(dispatcher, id, taken_back);
}

fn taken_back(dispatcher: &mut Dispatcher, id: WorkerId, link: &mut Link) -> Result<(), Violation> {
    loan::end(&link.memory);
    told(dispatcher, id, link)?;
    (link.room, link.lent) = (None, None);
    let now = dispatcher.now();
    dispatcher.broker.recovered(now, id);
    Ok(())
}

fn with_link(
    dispatcher: &mut Dispatcher,
    id: WorkerId,
    act: impl FnOnce(&mut Dispatcher, WorkerId, &mut Link) -> Result<(), Violation>,
) {
    let Some(mut link) = dispatcher.links.remove(&id) else { return };
    match act(dispatcher, id, &mut link) {
        Ok(()) => {
            dispatcher.links.insert(id, link);
        }
        Err(violation) => dispatcher.violated(id, link, violation),
    }
}
