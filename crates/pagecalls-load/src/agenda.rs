//! What is due when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a peer has to do at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Send a check: to connect, or for consent.
    Check,
    /// Look whether the handshake's last flight is to be sent again.
    Handshake,
    /// Send the next packets of the stream with this number.
    Stream(u16),
}

/// A task of one peer. One from before its peer or stream changed course has an old `epoch` and means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When.
    pub due_ns: u64,
    /// Whose.
    pub peer: u32,
    /// What.
    pub task: Task,
    /// Of which course.
    pub epoch: u32,
}

/// All that is to be done, the next first. Times are rounded up to whole ticks.
#[derive(Default)]
pub struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    tick_ns: u64,
}

impl Agenda {
    /// From now on the time goes in steps of this; 0 for every moment.
    pub fn set_tick(&mut self, tick_ns: u64) {
        self.tick_ns = tick_ns;
    }

    /// Puts a task down.
    pub fn add(&mut self, entry: Entry) {
        self.entries.push(Reverse(entry));
    }

    /// When something is due next.
    #[must_use]
    pub fn next_ns(&self) -> Option<u64> {
        let Reverse(first) = self.entries.peek()?;
        Some(self.rounded(first.due_ns))
    }

    /// Takes what is due by now.
    pub fn due(&mut self, now_ns: u64) -> Option<Entry> {
        if self.next_ns()? > now_ns {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry)
    }

    /// The tick at which something of that time happens.
    #[must_use]
    pub fn rounded(&self, ns: u64) -> u64 {
        match self.tick_ns {
            0 => ns,
            tick => ns.next_multiple_of(tick),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(due_ns: u64, peer: u32) -> Entry {
        Entry {
            due_ns,
            peer,
            task: Task::Check,
            epoch: 0,
        }
    }

    #[test]
    fn tasks_come_when_they_are_due_and_in_order() {
        let mut agenda = Agenda::default();
        for one in [entry(30, 1), entry(10, 2), entry(20, 3)] {
            agenda.add(one);
        }
        assert_eq!(agenda.next_ns(), Some(10));
        assert_eq!(agenda.due(9), None);
        let peers: Vec<u32> = std::iter::from_fn(|| agenda.due(20))
            .map(|one| one.peer)
            .collect();
        assert_eq!(peers, [2, 3]);
        assert_eq!(agenda.next_ns(), Some(30));
    }

    #[test]
    fn ticks_gather_what_is_due_between_them() {
        let mut agenda = Agenda::default();
        agenda.set_tick(10);
        for one in [entry(11, 1), entry(19, 2), entry(21, 3)] {
            agenda.add(one);
        }
        assert_eq!(agenda.next_ns(), Some(20));
        assert_eq!(agenda.due(19), None);
        assert_eq!(std::iter::from_fn(|| agenda.due(20)).count(), 2);
    }
}
