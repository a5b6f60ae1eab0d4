//! The way on which a datagram came, which is the way on which the answers go.
//!
//! A peer is told apart by its address and by the socket of ours that it came in on: the same peer address on two of our
//! addresses, or on UDP and TCP, is two paths, as ICE has two pairs for them. Nothing here knows what stands behind an index.

use std::net::SocketAddr;

/// What of ours carries a path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Via {
    /// The UDP socket with this place in the worker's port.
    Udp(u8),
    /// The TCP connection with this number, which its worker gives to no second one.
    Tcp(u32),
}

/// A way to a peer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Path {
    /// The peer's address.
    pub remote: SocketAddr,
    /// What of ours carries it.
    pub via: Via,
}

impl Path {
    /// The way to `remote` over the UDP socket at `socket`.
    #[must_use]
    pub const fn udp(socket: u8, remote: SocketAddr) -> Self {
        Self {
            remote,
            via: Via::Udp(socket),
        }
    }

    /// The way to `remote` over a TCP connection.
    #[must_use]
    pub const fn tcp(connection: u32, remote: SocketAddr) -> Self {
        Self {
            remote,
            via: Via::Tcp(connection),
        }
    }
}
