//! Pipes.

use taskcell_wire::call::{Call, CallError, Create, HandleId, HandleKind, PipeCall, PipeOptions, PipeReply, Reply};

use crate::stage::{Comes, bytes, handle, json};
use crate::tasks::compiled;

#[test]
fn each_function_asks_what_it_says() {
    let mut stage = compiled().stage();
    let end = || handle(HandleKind::Connection, 3);
    let ask = |call, reply| [(Call::Pipe(HandleId(3), call), Comes::from(Reply::Pipe(reply)))];
    let options = PipeOptions { duplex: true, name: None };
    let open = (Call::Create(Create::Pipe(options)), Reply::Ends(HandleId(8), HandleId(9)).into());
    stage.check("pipe-open", &[json(r#"{"duplex":true,"name":null}"#)], &[open], "[1,2]");
    let send = PipeCall::Send { message: b"m".into(), timeout: None };
    stage.check("pipe-send", &[end(), bytes(b"m"), json("null")], &ask(send, PipeReply::Done), "null");
    let recv = PipeCall::Recv { timeout: Some(1) };
    stage.check("pipe-recv", &[end(), json("1")], &ask(recv, PipeReply::Message(b"hi".into())), "\"aGk=\"");
    for ready in [true, false] {
        let poll = PipeCall::Poll { timeout: Some(1) };
        stage.check("pipe-poll", &[end(), json("1")], &ask(poll, PipeReply::Ready(ready)), &ready.to_string());
    }
    stage.check("pipe-close", &[end()], &ask(PipeCall::Close, PipeReply::Done), "null");
    // Closing again does nothing.
    stage.check("pipe-close", &[end()], &[(Call::Pipe(HandleId(3), PipeCall::Close), CallError::Closed.into())], "null");
    stage.check("pipe-recv-ready", &[end()], &[], "2");
}
