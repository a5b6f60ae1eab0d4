//! Commands on their way: which worker gets one, whose reply is still to come, and what its outcome changes in our books.
//!
//! Calls go to the worker with the fewest, and their legs follow them. A snapshot and a ping are many questions with one reply.

use std::time::Instant;

use super::Control;
use crate::pages::Page;
use crate::protocol::{Code, Command, Outcome, PingOk, Refusal, Reply, Snapshot, WorkerCounters};
use crate::worker::Order;

/// A reply that is still to come.
pub(super) struct Pending {
    connection: u64,
    id: u64,
    kind: Waiting,
}

/// What the outcome changes in our own books.
enum Waiting {
    Plain,
    CallCreate(String),
    CallClose(String),
    LegCreate(String),
    LegClose(String),
    /// One outcome for each call of the page.
    Snapshot(Page),
    /// One outcome from each worker.
    Ping {
        missing: usize,
        workers: Vec<WorkerCounters>,
    },
}

impl Control {
    /// Sends a command to the worker that it concerns.
    pub(super) fn hand_on(
        &mut self,
        connection: u64,
        id: u64,
        command: Command,
    ) -> Result<(), Refusal> {
        let (worker, kind) = match &command {
            Command::CallCreate(body) => {
                if self.calls.contains_key(&body.call) {
                    return Err(Refusal::new(Code::Exists, &*body.call));
                }
                if self.draining_since.is_some() {
                    return Err(Refusal::new(Code::Ending, "no new calls"));
                }
                if self.calls.len() >= self.hello.capacity as usize {
                    let capacity = self.hello.capacity;
                    return Err(Refusal::new(Code::Full, format!("{capacity} calls are up")));
                }
                let worker = self.emptiest();
                self.calls.insert(body.call.clone(), worker);
                (worker, Waiting::CallCreate(body.call.clone()))
            }
            Command::LegCreate(body) => {
                let worker = self.worker_of_call(&body.call)?;
                if self.legs.contains_key(&body.leg) {
                    return Err(Refusal::new(Code::Exists, &*body.leg));
                }
                self.legs.insert(body.leg.clone(), body.call.clone());
                (worker, Waiting::LegCreate(body.leg.clone()))
            }
            Command::LegApply(body) => (self.worker_of_leg(&body.leg)?, Waiting::Plain),
            Command::LegRestart(body) => (self.worker_of_leg(&body.leg)?, Waiting::Plain),
            Command::LegDtmf(body) => (self.worker_of_leg(&body.leg)?, Waiting::Plain),
            Command::LegClose(body) => (
                self.worker_of_leg(&body.leg)?,
                Waiting::LegClose(body.leg.clone()),
            ),
            Command::CallRoute(body) => (self.worker_of_call(&body.call)?, Waiting::Plain),
            Command::CallClose(body) => (
                self.worker_of_call(&body.call)?,
                Waiting::CallClose(body.call.clone()),
            ),
            Command::Snapshot(body) => {
                self.ask_for_page(connection, id, body);
                return Ok(());
            }
            Command::Ping(_) => {
                self.ask_all(connection, id, &command);
                return Ok(());
            }
            Command::Hello(_) | Command::Exit(_) => {
                return Err(Refusal::new(Code::BadCommand, "not for a worker"));
            }
        };
        let number = self.expect(Pending {
            connection,
            id,
            kind,
        });
        self.workers[worker].order(Order::Command(number, Box::new(command)));
        Ok(())
    }

    fn ask_for_page(&mut self, connection: u64, id: u64, command: &Snapshot) {
        let page = Page::new(command, &self.calls);
        let asked = page.asked().to_vec();
        if page.is_whole() {
            self.reply(connection, id, &Ok(page.finish(self.seq).into()));
            return;
        }
        let number = self.expect(Pending {
            connection,
            id,
            kind: Waiting::Snapshot(page),
        });
        for call in asked {
            let worker = self.calls[&call];
            let one = Snapshot {
                call: Some(call),
                after: None,
            };
            self.workers[worker].order(Order::Command(number, Box::new(one.into())));
        }
    }

    fn ask_all(&mut self, connection: u64, id: u64, command: &Command) {
        let missing = self.workers.len();
        let number = self.expect(Pending {
            connection,
            id,
            kind: Waiting::Ping {
                missing,
                workers: Vec::new(),
            },
        });
        for worker in &self.workers {
            worker.order(Order::Command(number, Box::new(command.clone())));
        }
    }

    fn expect(&mut self, pending: Pending) -> u64 {
        self.next_pending += 1;
        self.pending.insert(self.next_pending, pending);
        self.next_pending
    }

    /// Nobody reads replies on this connection any more. Outcomes that change our books are still taken.
    pub(super) fn expect_no_more_for(&mut self, connection: u64) {
        self.pending.retain(|_, pending| {
            pending.connection != connection || !matches!(pending.kind, Waiting::Plain)
        });
    }

    fn emptiest(&self) -> usize {
        let load = |worker: &usize| self.calls.values().filter(|other| *other == worker).count();
        (0..self.workers.len()).min_by_key(load).unwrap_or_default()
    }

    fn worker_of_call(&self, call: &str) -> Result<usize, Refusal> {
        self.calls
            .get(call)
            .copied()
            .ok_or_else(|| Refusal::new(Code::UnknownCall, call))
    }

    fn worker_of_leg(&self, leg: &str) -> Result<usize, Refusal> {
        let call = self
            .legs
            .get(leg)
            .ok_or_else(|| Refusal::new(Code::UnknownLeg, leg))?;
        self.worker_of_call(call)
            .map_err(|_| Refusal::new(Code::UnknownLeg, leg))
    }

    /// Takes what a worker made of a command, and replies when nothing is missing.
    pub(super) fn outcome(&mut self, number: u64, outcome: Outcome) {
        let Some(Pending {
            connection,
            id,
            kind,
        }) = self.pending.remove(&number)
        else {
            return;
        };
        let outcome = match kind {
            Waiting::Ping {
                missing,
                mut workers,
            } => {
                if let Ok(Reply::PingOk(one)) = outcome {
                    workers.extend(one.workers);
                }
                if missing > 1 {
                    let missing = missing - 1;
                    let kind = Waiting::Ping { missing, workers };
                    self.wait_on(number, connection, id, kind);
                    return;
                }
                workers.sort_unstable_by_key(|one| one.worker);
                Ok(PingOk { workers }.into())
            }
            Waiting::Plain => outcome,
            Waiting::CallCreate(call) => {
                if outcome.is_err() {
                    self.calls.remove(&call);
                }
                outcome
            }
            Waiting::LegCreate(leg) => {
                if outcome.is_err() {
                    self.legs.remove(&leg);
                }
                outcome
            }
            Waiting::LegClose(leg) => {
                self.tidy.stir(Instant::now());
                self.legs.remove(&leg);
                outcome
            }
            Waiting::CallClose(call) => {
                self.tidy.stir(Instant::now());
                self.calls.remove(&call);
                self.legs.retain(|_, of| *of != call);
                outcome
            }
            Waiting::Snapshot(mut page) => {
                page.take(match outcome {
                    Ok(Reply::SnapshotOk(part)) => Some(part),
                    _ => None,
                });
                if !page.is_whole() {
                    self.wait_on(number, connection, id, Waiting::Snapshot(page));
                    return;
                }
                Ok(page.finish(self.seq).into())
            }
        };
        self.reply(connection, id, &outcome);
    }

    fn wait_on(&mut self, number: u64, connection: u64, id: u64, kind: Waiting) {
        self.pending.insert(
            number,
            Pending {
                connection,
                id,
                kind,
            },
        );
    }
}
