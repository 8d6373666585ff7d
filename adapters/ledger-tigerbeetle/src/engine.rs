//! `TigerBeetle`: the engine. One session, any number of callers; each waits for its own answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use ledger::limits::BATCH_MAX;
use ledger::{Account, AccountStatus, Engine, Transfer, TransferStatus};
use scheme::Timestamp;
use tigerbeetle_unofficial_core::error::SendError;
use tigerbeetle_unofficial_core::{Callbacks, Client, OperationKind, Packet, Reply, UserData};

use crate::TigerBeetleError;
use crate::limits::ANSWER_WITHIN;
use crate::wire::{self, Event};

/// A session with a cluster.
///
/// After any error but a batch that is too long, nothing more is answered: connect again. What was
/// asked then may or may not have happened; the same batch may be sent again, its ids make it safe.
pub struct TigerBeetle {
    client: Client<&'static Answers>,
    answer_within: Duration,
    stopped: AtomicBool,
}

impl core::fmt::Debug for TigerBeetle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TigerBeetle").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}

impl TigerBeetle {
    /// Begins a session with a cluster and waits until it answers. `addresses` are those of all
    /// its replicas, in their order: `host:port`, or a port alone on this machine, with commas
    /// between.
    pub fn connect(cluster: u128, addresses: &str) -> Result<Self, TigerBeetleError> {
        let client = Client::with_callback(cluster, addresses, &Answers).map_err(|why| {
            TigerBeetleError::Start { addresses: addresses.to_owned(), why: why.to_string() }
        })?;
        let stopped = AtomicBool::new(false);
        let engine = Self { client, answer_within: ANSWER_WITHIN, stopped };
        // An id that nobody may have: only that there is an answer counts.
        engine.accounts(&[u128::MAX])?;
        Ok(engine)
    }

    /// The same session, which waits that long for an answer, instead of `limits::ANSWER_WITHIN`.
    #[must_use]
    pub fn waiting(self, answer_within: Duration) -> Self {
        Self { answer_within, ..self }
    }

    /// Creates accounts: one status per event. Callers on several threads share the session.
    pub fn create_accounts(
        &self,
        events: &[Account],
    ) -> Result<Vec<AccountStatus>, TigerBeetleError> {
        self.create(OperationKind::CreateAccounts, events)
    }

    /// Creates transfers: one status per event. Callers on several threads share the session.
    pub fn create_transfers(
        &self,
        events: &[Transfer],
    ) -> Result<Vec<TransferStatus>, TigerBeetleError> {
        self.create(OperationKind::CreateTransfers, events)
    }

    /// Those of these accounts that are there, at most `BATCH_MAX`.
    pub fn accounts(&self, ids: &[u128]) -> Result<Vec<Account>, TigerBeetleError> {
        let answer = self.ask(OperationKind::LookupAccounts, ids.len(), wire::encode_ids(ids))?;
        self.read(wire::accounts(&answer))
    }

    /// Those of these transfers that happened, at most `BATCH_MAX`.
    pub fn transfers(&self, ids: &[u128]) -> Result<Vec<Transfer>, TigerBeetleError> {
        let answer = self.ask(OperationKind::LookupTransfers, ids.len(), wire::encode_ids(ids))?;
        self.read(wire::transfers(&answer))
    }

    fn create<E: Event>(
        &self,
        operation: OperationKind,
        events: &[E],
    ) -> Result<Vec<E::Status>, TigerBeetleError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        if events.len() <= BATCH_MAX
            && let Some(refused) = wire::refuse_imports(events)
        {
            return Ok(refused);
        }
        let answer = self.ask(operation, events.len(), wire::encode(events))?;
        self.read(wire::statuses::<E>(events.len(), &answer))
    }

    /// Sends a request and waits for its answer.
    fn ask(
        &self,
        operation: OperationKind,
        events: usize,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, TigerBeetleError> {
        if events > BATCH_MAX {
            return Err(TigerBeetleError::BatchTooLong { events });
        }
        if self.stopped.load(Ordering::Relaxed) {
            return Err(TigerBeetleError::Stopped);
        }
        let (answer, answered) = sync_channel(1);
        self.client.submit(Packet::new(Box::new(Request { data, answer }), operation));
        match answered.recv_timeout(self.answer_within) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => self.stop(TigerBeetleError::GivenUp { why: why.to_string() }),
            Err(RecvTimeoutError::Timeout) => {
                self.stop(TigerBeetleError::NoAnswer { after: self.answer_within })
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.stop(TigerBeetleError::GivenUp { why: "the client has ended".to_owned() })
            }
        }
    }

    fn read<T>(&self, read: Result<T, &'static str>) -> Result<T, TigerBeetleError> {
        read.or_else(|what| self.stop(TigerBeetleError::Answer { what }))
    }

    fn stop<T>(&self, error: TigerBeetleError) -> Result<T, TigerBeetleError> {
        self.stopped.store(true, Ordering::Relaxed);
        Err(error)
    }
}

impl Engine for TigerBeetle {
    type Error = TigerBeetleError;

    /// `now` is not used: a cluster has a clock of its own.
    fn create_accounts(
        &mut self,
        _now: Timestamp,
        events: &[Account],
        out: &mut Vec<AccountStatus>,
    ) -> Result<(), TigerBeetleError> {
        *out = TigerBeetle::create_accounts(self, events)?;
        Ok(())
    }

    /// `now` is not used: a cluster has a clock of its own.
    fn create_transfers(
        &mut self,
        _now: Timestamp,
        events: &[Transfer],
        out: &mut Vec<TransferStatus>,
    ) -> Result<(), TigerBeetleError> {
        *out = TigerBeetle::create_transfers(self, events)?;
        Ok(())
    }

    fn account(&self, id: u128) -> Result<Option<Account>, TigerBeetleError> {
        Ok(self.accounts(&[id])?.first().copied())
    }

    fn transfer(&mut self, id: u128) -> Result<Option<Transfer>, TigerBeetleError> {
        Ok(self.transfers(&[id])?.first().copied())
    }
}

/// What the client keeps of a request until it is answered.
struct Request {
    data: Vec<u8>,
    answer: SyncSender<Result<Vec<u8>, SendError>>,
}

impl UserData for Request {
    fn data(&self) -> &[u8] {
        &self.data
    }
}

/// Hands answers over, on the client's own thread.
struct Answers;

impl Callbacks for Answers {
    type UserDataPtr = Box<Request>;

    fn completion(&self, packet: Packet<Box<Request>>, reply: Option<Reply<'_>>) {
        let status = packet.status();
        let request = packet.into_user_data();
        let answer = status.map(|()| reply.map_or(Vec::new(), |reply| reply.payload.to_vec()));
        // Who has stopped waiting has said so already. The channel holds one answer and gets one,
        // so the client's thread never waits here.
        let _ = request.answer.try_send(answer);
    }
}
