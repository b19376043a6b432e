//! Pipes: both ways, ends that move, ends of streams.

use std::io::{BufRead, BufReader, Read, Write};

use taskcell_guest::{Bytes, Connection, Error, Process, Receiver, Result, Sender, duplex, pipe, task};

use crate::{LONG, Promise, SHORT, expect, expect_error};

pub(crate) const PROMISES: &[Promise] = &[
    ("pipe: what was sent is received, then comes the end", one_way),
    ("pipe: questions and answers", both_ways),
    ("pipe: the end of a task is the end of its pipe", dead_end),
    ("pipe: an end that was lost with a failed start is closed", failed_start),
    ("pipe: poll tells what recv would do", polling),
    ("pipe: bytes make a stream", streams),
];

fn one_way() -> Result {
    let (sender, receiver) = pipe::<u32>()?;
    for number in 0..10 {
        sender.send(&number)?;
    }
    sender.close();
    expect("all", receiver.iter().collect::<Result<Vec<_>>>()?, (0..10).collect())?;
    let (sender, receiver) = pipe::<u32>()?;
    drop(receiver);
    expect_error("nobody listens", sender.send(&1), &Error::Closed)
}

#[task]
fn double(questions: Connection<u64, u32>) -> Result {
    for question in questions.iter() {
        questions.send(&(u64::from(question?) * 2))?;
    }
    Ok(())
}

fn both_ways() -> Result {
    let (here, there) = duplex::<u32, u64>()?;
    let process = Process::spawn("double", (there,))?;
    for number in [1, 2, u32::MAX] {
        here.send(&number)?;
        expect("double", here.recv_timeout(LONG)?, u64::from(number) * 2)?;
    }
    here.close();
    Ok(process.join()?)
}

#[task]
fn send_and_die(pipe: Sender<String>) {
    if pipe.send("last words").is_ok() {
        panic!("on purpose");
    }
}

fn dead_end() -> Result {
    let (sender, receiver) = pipe::<String>()?;
    let process = Process::spawn("send-and-die", (sender,))?;
    expect("words", receiver.recv_timeout(LONG)?, "last words".to_owned())?;
    expect_error("end", receiver.recv_timeout(LONG), &Error::Closed)?;
    expect("died", process.join::<()>().is_err(), true)
}

fn failed_start() -> Result {
    let (sender, receiver) = pipe::<u32>()?;
    let missing = Process::spawn("no-such-task", (sender,)).map(drop);
    expect_error("missing", missing, &Error::NotFound(String::new()))?;
    expect_error("end", receiver.recv_timeout(LONG), &Error::Closed)
}

fn polling() -> Result {
    let (sender, receiver) = pipe::<u32>()?;
    expect("nothing", receiver.poll(SHORT)?, false)?;
    expect("nothing", receiver.try_recv()?, None)?;
    let ready = receiver.recv_ready();
    sender.send(&1)?;
    expect("message", (receiver.poll(LONG)?, ready.is_ready()), (true, true))?;
    expect("message", receiver.recv()?, 1)?;
    expect("taken", ready.is_ready(), false)?;
    drop(sender);
    expect("end", (receiver.poll(LONG)?, ready.is_ready()), (true, true))
}

#[task]
fn number_lines(input: Receiver<Bytes>, output: Sender<Bytes>) -> std::io::Result<()> {
    let mut output = std::io::BufWriter::new(output.into_writer());
    for (number, line) in input.into_reader().lines().enumerate() {
        writeln!(output, "{number} {}", line?)?;
    }
    output.flush()
}

fn streams() -> Result {
    let failed = |error: std::io::Error| Error::Other(error.to_string());
    let ((to, input), (output, from)) = (pipe::<Bytes>()?, pipe::<Bytes>()?);
    let process = Process::spawn("number-lines", (input, output))?;
    let mut to = to.into_writer();
    // More than a pipe holds, in pieces that are no lines.
    let text = "a line of some length\n".repeat(60_000);
    let (first, second) = text.as_bytes().split_at(100_001);
    to.write_all(first).map_err(failed)?;
    to.write_all(&second[..7]).map_err(failed)?;
    to.write_all(&second[7..]).map_err(failed)?;
    drop(to);
    let mut from = BufReader::new(from.into_reader());
    let mut line = String::new();
    from.read_line(&mut line).map_err(failed)?;
    expect("first", line.as_str(), "0 a line of some length\n")?;
    let mut rest = String::new();
    from.read_to_string(&mut rest).map_err(failed)?;
    expect("lines", rest.lines().count(), 59_999)?;
    Ok(process.join()?)
}
