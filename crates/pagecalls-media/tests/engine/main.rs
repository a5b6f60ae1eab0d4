//! The engine between two peers, in one process and in simulated time: one module for each behaviour.

mod congestion;
mod copies;
mod digits;
mod feedback;
mod forwarding;
mod gone_tracks;
mod keyframes;
#[path = "../libsrtp2/mod.rs"]
mod libsrtp2;
mod long_calls;
mod malformed;
mod paths;
mod repair;
mod restart;
mod rig;
mod sources;
mod statistics;
mod strangers;
mod timers;
mod transport;
mod video_rig;
