//! The media engine of Page Calls: ICE-lite, DTLS, SRTP and RTP translation.
//!
//! # The invariant
//!
//! Everything but [`worker`], [`udp`], [`tcp`], [`acceptor`], [`hosts`], [`spare`], [`sys`], [`control`], [`frames`], [`log`] and the certificate's
//! file in [`dtls`] is pure: bytes, commands and the time come in; datagrams and events go to an [`outbox::Outbox`]. Nothing in there reads
//! a clock, a socket or a source of randomness, nothing allocates per media packet,
//! and **after every call the outbox holds all that is to be sent**. One place owns the drain: the worker's loop.
//!
//! # The map
//!
//! | module | story |
//! |---|---|
//! | [`protocol`] | the control protocol as data, twin of `src/pagecalls/media/protocol.py` |
//! | [`control`], [`frames`], [`pages`], [`tidy`] | the Unix socket: commands in, events out, what happens without a parent; its frames; snapshots; memory |
//! | [`worker`], [`gather`], [`udp`], [`sys`] | the thread: one port, one poll loop, one mailbox; when it waits for more datagrams; these in batches; system calls |
//! | [`hosts`] | which addresses a start listens on, and which peers are told |
//! | [`acceptor`], [`tcp`], [`framing`], [`spare`] | ICE-TCP: who may connect, the connections of a worker, datagrams on a stream; when descriptors run out |
//! | [`shard`], [`limit`] | all calls of one worker: who gets a datagram, timers, faults contained; what strangers may cost |
//! | [`call`], [`reports`] | one call: routes between its legs; RTCP across |
//! | [`keyframes`], [`congestion`], [`twcc`] | what video needs besides: pictures on request; whose packets arrived, hop by hop |
//! | [`leg`], [`transport`] | one peer: tracks, desired state, timers; ICE, DTLS and SRTP put together |
//! | [`inlet`], [`inlets`], [`outlet`] | a received track; those of a leg with their streams; sent tracks and their outputs |
//! | [`translate`], [`dtmf`] | numbers, timestamps, payload types; digits as RFC 4733 events |
//! | [`stats`], [`sending`], [`quality`], [`figures`] | what is counted of received and of sent streams; rates, round trips, scores; all of it as the protocol tells it |
//! | [`rtp`], [`rtcp`], [`demux`], [`bits`] | the formats and the arithmetic of their RFCs |
//! | [`ice`], [`stun`], [`dtls`], [`srtp`] | the transport's parts, each usable by itself |
//! | [`outbox`], [`path`] | what leaves, and on which way |
//! | [`fresh`], [`error`], [`log`] | what must be new, what can go wrong, where that is written |
//!
//! The engine knows no SDP, no versions and no policy: those are the control plane's. A leg gets its full desired state with a
//! growing revision, and makes it so.

pub mod acceptor;
pub mod bits;
pub mod call;
pub mod congestion;
pub mod control;
pub mod demux;
pub mod dtls;
pub mod dtmf;
pub mod error;
pub mod figures;
pub mod frames;
pub mod framing;
pub mod fresh;
pub mod gather;
pub mod hosts;
pub mod ice;
pub mod inlet;
pub mod inlets;
pub mod keyframes;
pub mod leg;
pub mod limit;
pub mod log;
pub mod outbox;
pub mod outlet;
pub mod pages;
pub mod path;
pub mod protocol;
pub mod quality;
pub mod reports;
pub mod rtcp;
pub mod rtp;
pub mod sending;
pub mod shard;
pub mod spare;
pub mod srtp;
pub mod stats;
pub mod stun;
pub mod sys;
pub mod tcp;
pub mod tidy;
pub mod translate;
pub mod transport;
pub mod twcc;
pub mod udp;
pub mod worker;
