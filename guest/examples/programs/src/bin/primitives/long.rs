//! Long messages: whichever way they take, they come as they were sent.

use taskcell_guest::{Bytes, Connection, Process, Queue, Result, SharedMap, duplex, task};

use crate::{LONG, Promise, expect};

pub(crate) const PROMISES: &[Promise] = &[
    ("long: messages of any length come back out of a queue", through_a_queue),
    ("long: messages of any length come back over a pipe", over_a_pipe),
    ("long: values of any length stay in a map", in_a_map),
];

const KIB: usize = 1024;
/// On both sides of where another way begins: 16 KiB, 2012 KiB, and some between and beyond.
const LENGTHS: [usize; 10] =
    [0, 1, 16 * KIB - 50, 16 * KIB, 16 * KIB + 1, 500 * KIB + 3, 2012 * KIB - 50, 2012 * KIB, 2048 * KIB, 3072 * KIB + 7];

/// Bytes that show where each of them belongs.
fn message(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ (length % 256) as u8).collect()
}

/// Long texts make no good error.
fn same(length: usize, found: &[u8]) -> Result {
    expect("length", found.len(), length)?;
    expect("the same bytes", found == message(length), true)
}

fn through_a_queue() -> Result {
    let queue = Queue::<Bytes>::new()?;
    for length in LENGTHS {
        queue.put(&Bytes(message(length)))?;
    }
    for length in LENGTHS {
        same(length, &queue.get_timeout(LONG)?.0)?;
    }
    Ok(())
}

#[task]
fn send_back(pipe: Connection<Bytes, Bytes>) -> Result {
    for message in pipe.iter() {
        pipe.send(&message?)?;
    }
    Ok(())
}

fn over_a_pipe() -> Result {
    let (here, there) = duplex::<Bytes, Bytes>()?;
    let process = Process::spawn("send-back", (there,))?;
    for length in LENGTHS {
        here.send(&Bytes(message(length)))?;
        same(length, &here.recv_timeout(LONG)?.0)?;
    }
    here.close();
    Ok(process.join()?)
}

fn in_a_map() -> Result {
    let map = SharedMap::<String, Bytes>::new()?;
    for length in LENGTHS {
        map.set(&length.to_string(), &Bytes(message(length)))?;
    }
    for length in LENGTHS {
        let found = map.get(&length.to_string())?;
        same(length, &found.map(|bytes| bytes.0).unwrap_or_default())?;
    }
    Ok(())
}
