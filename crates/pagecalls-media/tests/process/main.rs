//! The engine as a process: its Unix socket, its UDP and TCP ports, and how it ends. One module for each story.

mod addresses;
mod calls;
mod control;
mod ending;
mod peer;
mod program;
mod start;
