//! Transport-wide congestion control, hop by hop (draft-holmer-rmcat-transport-wide-cc-extensions-01).
//!
//! A peer numbers all video packets that it sends, whatever their stream, and wants to hear when each of them arrived. The engine
//! numbers anew what it sends on ([`Numbers`]), maps what the receiver says of its numbers back to those of the sender
//! ([`Ledger`]), and answers by itself for what it kept back, or where no receiver answers. [`feedback`] is the format.
//!
//! Pure: numbers and times come in, statuses go out. Which leg is which is decided in [`crate::congestion`].

pub mod feedback;
mod ledger;
mod numbers;
mod ring;

pub use ledger::{ANSWER_INTERVAL, Ledger};
pub use numbers::{Came, Numbers};

/// So many of the last numbers are remembered on either side at most.
pub const REMEMBERED: u64 = 2_048;

/// A time in quarters of a millisecond, which wraps every twelve days. Its upper 24 bits are what the format calls the reference
/// time.
pub type Ticks = u32;

/// Ticks in a second.
pub const TICKS_PER_S: u32 = 4_000;
