//! The engine between two peers, in one process and in simulated time: one module for each behaviour.

mod copies;
mod digits;
mod feedback;
mod forwarding;
mod long_calls;
mod malformed;
mod paths;
mod rig;
mod sources;
mod statistics;
mod strangers;
mod timers;
mod transport;
