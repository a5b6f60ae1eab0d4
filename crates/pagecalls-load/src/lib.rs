//! Many light WebRTC peers in one process and one thread: ICE, DTLS, SRTP, and traffic that looks like sound or video.
//!
//! They are for benches, which want much traffic for little CPU, and for tests, which want many peers that do as they are told.
//! What they send is counted where it arrives; none of it can be heard or seen. They know no SDP and no calls: who steers them tells
//! each peer where its other side is and with which credentials.
//!
//! | module | story |
//! |---|---|
//! | [`run`] | a load in steps, for benches; also without any engine, peer to peer, which shows the load's own ceiling |
//! | [`steer`] | peers that are told one by one what to do, for tests |
//! | [`lines`] | orders that come in as lines of JSON |
//! | [`crowd`], [`agenda`] | all peers with their network; what is due when |
//! | [`peer`] | one peer: checks, handshake, media |
//! | [`stream`], [`source`] | what a peer sends; what it receives |
//! | [`dtls`], [`net`], [`measure`] | OpenSSL's client and server; one socket for all; clocks and many short times |
//!
//! STUN, SRTP and the formats of RTP are the engine's own modules. Against a mistake in those other peers help: the engine's tests
//! have `str0m` and libsrtp2, the server's tests browsers and `aiortc`.

use std::error::Error;

pub mod agenda;
pub mod crowd;
pub mod dtls;
pub mod lines;
pub mod measure;
pub mod net;
pub mod peer;
pub mod run;
pub mod source;
pub mod steer;
pub mod stream;

/// What fails here fails with a text for people.
pub type Outcome<T> = Result<T, Box<dyn Error>>;
