//! `taskcell:host/pipe`.

use taskcell_wire::call::{Call, Create, Interest, PipeCall, PipeOptions, PipeReply, Reply, Timeout};
use wasmtime::component::Resource;

use super::interfaces::pipe::{Host, HostConnection, Options};
use super::view::{certain_or_closed, handles, match_one, short};
use super::waiting::Waitable;
use super::{Fault, View};

handles! {
    /// `pipe.connection`
    Connection
}

impl View<'_> {
    fn ask_pipe<R>(
        &self,
        end: &Resource<Connection>,
        call: PipeCall<'_>,
        read: impl FnOnce(PipeReply<'_>) -> Option<R>,
    ) -> Result<R, Fault> {
        let call = Call::Pipe(self.handle_id(end)?, call);
        self.ask(&call, |reply| read(match_one!(reply, Reply::Pipe(reply) => reply)?))
    }

    fn pipe_done(&self, end: &Resource<Connection>, call: PipeCall<'_>) -> Result<(), Fault> {
        self.ask_pipe(end, call, |reply| match_one!(reply, PipeReply::Done => ()))
    }
}

impl Host for View<'_> {
    fn open(&mut self, options: Options) -> Result<(Resource<Connection>, Resource<Connection>), Fault> {
        let Options { duplex, name } = options;
        let call = Call::Create(Create::Pipe(PipeOptions { duplex, name: short(name) }));
        // Room for both, so that there is no pipe with one end.
        let place = self.add(())?;
        let room = self.room();
        self.forget(place)?;
        room?;
        let (first, second) = self.ask(&call, |reply| match_one!(reply, Reply::Ends(first, second) => (first, second)))?;
        let (first, second) = (self.hold(first), self.hold(second));
        Ok((self.add(Connection(first))?, self.add(Connection(second))?))
    }
}

impl HostConnection for View<'_> {
    fn send(&mut self, end: Resource<Connection>, message: Vec<u8>, timeout: Timeout) -> Result<(), Fault> {
        self.pipe_done(&end, PipeCall::Send { message: message.as_slice().into(), timeout })
    }

    fn recv(&mut self, end: Resource<Connection>, timeout: Timeout) -> Result<Vec<u8>, Fault> {
        self.ask_pipe(
            &end,
            PipeCall::Recv { timeout },
            |reply| match_one!(reply, PipeReply::Message(message) => message.to_vec()),
        )
    }

    fn poll(&mut self, end: Resource<Connection>, timeout: Timeout) -> Result<bool, Fault> {
        self.ask_pipe(&end, PipeCall::Poll { timeout }, |reply| match_one!(reply, PipeReply::Ready(ready) => ready))
    }

    fn close(&mut self, end: Resource<Connection>) -> wasmtime::Result<()> {
        certain_or_closed("connection.close", self.pipe_done(&end, PipeCall::Close))
    }

    fn recv_ready(&mut self, end: Resource<Connection>) -> wasmtime::Result<Resource<Waitable>> {
        self.waitable(&end, Interest::In)
    }

    fn drop(&mut self, end: Resource<Connection>) -> wasmtime::Result<()> {
        self.forget(end)
    }
}
