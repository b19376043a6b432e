//! A pipe between a sender and a receiver, each of which has one end of it.

use std::thread::sleep;
use std::time::Duration;

use taskcell_guest::{Process, Receiver, Result, Sender, pipe, task};

#[task]
fn send_data(pipe: Sender<String>) -> Result {
    pipe.send("Message from sender")?;
    sleep(Duration::from_millis(100));
    Ok(())
}

#[task]
fn receive_data(pipe: Receiver<String>) -> Result {
    sleep(Duration::from_millis(200));
    let message = pipe.recv()?;
    println!("Received: {message}");
    Ok(())
}

#[taskcell_guest::main]
fn main() -> Result {
    let (sender_conn, receiver_conn) = pipe::<String>()?;
    let sender = Process::spawn("send-data", (sender_conn,))?;
    let receiver = Process::spawn("receive-data", (receiver_conn,))?;
    sender.join::<()>()?;
    receiver.join::<()>()?;
    Ok(())
}
