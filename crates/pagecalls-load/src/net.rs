//! One UDP socket for all peers, so that one system call sends or receives for many of them.
//!
//! Each peer has a loopback address of its own, 127.1.0.0 and up, all with the same port: ancillary data says for each datagram which
//! peer sends it, which peer it is for, and when it arrived by the kernel's clock (ip(7), socket(7)). A peer's place is the number of
//! its address, counted from the first. Peers may instead share another address of the machine; then only the other side's tells them
//! apart.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::measure::to_ns;

/// Datagrams per system call.
const BATCH: usize = 64;
/// Octets of the longest datagram.
pub const SLOT_LEN: usize = 1_500;
/// Kernel buffers, as far as the system's limits allow.
const BUFFER_LEN: libc::c_int = 4 * 1024 * 1024;
/// The first peer's address.
const FIRST: u32 = u32::from_be_bytes([127, 1, 0, 0]);

/// Room for two pieces of ancillary data: an address and a time.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

type Part<'a> = (&'a mut libc::iovec, &'a mut Control);

/// Memory for one batch. The headers point into the other boxes, which never move.
struct Slab {
    headers: Box<[libc::mmsghdr]>,
    bytes: Box<[[u8; SLOT_LEN]]>,
    controls: Box<[Control]>,
    /// Where to or where from.
    others: Box<[libc::sockaddr_in]>,
    _parts: Box<[libc::iovec]>,
}

impl Slab {
    fn new() -> Self {
        let mut bytes = vec![[0; SLOT_LEN]; BATCH].into_boxed_slice();
        let mut controls = vec![Control([0; 64]); BATCH].into_boxed_slice();
        // SAFETY: plain C data for which zero is valid.
        let mut others = vec![unsafe { zeroed() }; BATCH].into_boxed_slice();
        let part = |slot: &mut [u8; SLOT_LEN]| libc::iovec {
            iov_base: slot.as_mut_ptr().cast(),
            iov_len: SLOT_LEN,
        };
        let mut parts: Box<[libc::iovec]> = bytes.iter_mut().map(part).collect();
        let header = |((part, control), other): (Part, &mut libc::sockaddr_in)| {
            // SAFETY: plain C data for which zero is valid.
            let mut header: libc::mmsghdr = unsafe { zeroed() };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_name = ptr::from_mut(other).cast();
            header
        };
        let each = parts.iter_mut().zip(&mut controls).zip(&mut others);
        let headers = each.map(header).collect();
        Self {
            headers,
            bytes,
            controls,
            others,
            _parts: parts,
        }
    }
}

/// Opens the socket, for loopback addresses or for the one that all peers share. Its two ends do not wait for each other.
pub fn open(shared: Option<Ipv4Addr>) -> io::Result<(Sender, Receiver)> {
    let address = shared.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let socket = Arc::new(UdpSocket::bind((address, 0))?);
    for (level, option, value) in [
        (libc::SOL_SOCKET, libc::SO_RCVBUF, BUFFER_LEN),
        (libc::SOL_SOCKET, libc::SO_SNDBUF, BUFFER_LEN),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1),
        (libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
    ] {
        set_option(&socket, level, option, &value.to_ne_bytes())?;
    }
    if shared.is_none() {
        // Nobody outside this machine has business here.
        set_option(&socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, b"lo\0")?;
    }
    // The default rounds all waits up by 50 us.
    // SAFETY: takes no pointers; it concerns this thread alone and cannot fail.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    Ok((Sender::new(Arc::clone(&socket)), Receiver::new(socket)))
}

/// The address of the peer at a place.
#[must_use]
pub fn address(place: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST + place as u32)
}

/// The place that an address has, whether or not a peer has it.
#[must_use]
pub fn place(address: Ipv4Addr) -> usize {
    address.to_bits().wrapping_sub(FIRST) as usize
}

fn set_option(
    socket: &UdpSocket,
    level: libc::c_int,
    option: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    let (fd, len) = (socket.as_raw_fd(), value.len() as libc::socklen_t);
    // SAFETY: the value lives through the call, and its length is given.
    checked(unsafe { libc::setsockopt(fd, level, option, value.as_ptr().cast(), len) }).map(drop)
}

fn checked(result: libc::c_int) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// What one peer sends, kept as it leaves.
struct Tap {
    from: Ipv4Addr,
    room: usize,
    datagrams: Vec<Vec<u8>>,
}

/// Sends in batches.
pub struct Sender {
    socket: Arc<UdpSocket>,
    slab: Slab,
    count: usize,
    /// Datagrams that the kernel refused.
    refused: u64,
    taps: Vec<Tap>,
}

impl Sender {
    fn new(socket: Arc<UdpSocket>) -> Self {
        let mut slab = Slab::new();
        for header in &mut slab.headers {
            let header = &mut header.msg_hdr;
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            // SAFETY: takes no pointers.
            header.msg_controllen =
                unsafe { libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) } as usize;
        }
        Self {
            socket,
            slab,
            count: 0,
            refused: 0,
            taps: Vec::new(),
        }
    }

    /// The port of all peers.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Makes what `write` leaves in the slot a datagram from the peer with the address `from`; `write` returns its length, 0 for none.
    pub fn queue(
        &mut self,
        from: Ipv4Addr,
        to: SocketAddrV4,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) {
        if self.count == BATCH {
            self.flush();
        }
        let other = &mut self.slab.others[self.count];
        other.sin_family = libc::AF_INET as libc::sa_family_t;
        other.sin_port = to.port().to_be();
        other.sin_addr.s_addr = to.ip().to_bits().to_be();
        let header = &mut self.slab.headers[self.count].msg_hdr;
        let info = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr {
                s_addr: from.to_bits().to_be(),
            },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        // SAFETY: the header's control buffer has room for one address and is aligned for it.
        unsafe {
            let control = libc::CMSG_FIRSTHDR(header);
            (*control).cmsg_level = libc::IPPROTO_IP;
            (*control).cmsg_type = libc::IP_PKTINFO;
            (*control).cmsg_len = libc::CMSG_LEN(size_of::<libc::in_pktinfo>() as u32) as usize;
            libc::CMSG_DATA(control)
                .cast::<libc::in_pktinfo>()
                .write_unaligned(info);
        }
        let len = write(&mut self.slab.bytes[self.count]);
        for tap in &mut self.taps {
            if tap.from == from && len > 0 && tap.datagrams.len() < tap.room {
                tap.datagrams
                    .push(self.slab.bytes[self.count][..len].to_vec());
            }
        }
        // SAFETY: every header points to a part of the slab.
        unsafe { (*header.msg_iov).iov_len = len };
        self.count += usize::from(len > 0);
    }

    /// Makes these bytes a datagram.
    pub fn queue_bytes(&mut self, from: Ipv4Addr, to: SocketAddrV4, bytes: &[u8]) {
        self.queue(from, to, |slot| match slot.get_mut(..bytes.len()) {
            Some(slot) => {
                slot.copy_from_slice(bytes);
                bytes.len()
            }
            None => 0,
        });
    }

    /// Sends these bytes at once as they are, of any length, none too: for what a peer would never say.
    pub fn send_raw(&mut self, from: Ipv4Addr, to: SocketAddrV4, bytes: &[u8]) -> io::Result<()> {
        self.flush();
        // The slot's own header, with its address and control data, and another part.
        self.queue(from, to, |_| 0);
        let mut part = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        let mut header = self.slab.headers[0].msg_hdr;
        header.msg_iov = &raw mut part;
        // SAFETY: address, control data and bytes live through the call, with the given lengths; none of it is written to.
        checked(unsafe { libc::sendmsg(self.socket.as_raw_fd(), &raw const header, 0) } as i32)
            .map(drop)
    }

    /// Keeps the next `room` datagrams of the peer with this address; returns those that were kept before.
    pub fn tap(&mut self, from: Ipv4Addr, room: usize) -> Vec<Vec<u8>> {
        let known = self.taps.iter().position(|tap| tap.from == from);
        let kept = known.map(|at| self.taps.swap_remove(at).datagrams);
        if room > 0 {
            self.taps.push(Tap {
                from,
                room,
                datagrams: Vec::new(),
            });
        }
        kept.unwrap_or_default()
    }

    /// How many datagrams the kernel refused to send so far, as to an address that it has no way to.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Sends all that is queued. What the kernel refuses is left out and counted: it concerns one peer.
    pub fn flush(&mut self) {
        let mut sent = 0;
        while sent < self.count {
            let headers = self.slab.headers[sent..].as_mut_ptr();
            let left = (self.count - sent) as u32;
            // SAFETY: the headers point to addresses, control data and bytes of the given lengths, all owned by self.
            let result = unsafe { libc::sendmmsg(self.socket.as_raw_fd(), headers, left, 0) };
            match checked(result) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.refused += 1;
                    sent += 1;
                }
                Ok(count) => sent += count,
            }
        }
        self.count = 0;
    }
}

/// Receives in batches.
pub struct Receiver {
    socket: Arc<UdpSocket>,
    slab: Slab,
}

impl Receiver {
    fn new(socket: Arc<UdpSocket>) -> Self {
        Self {
            socket,
            slab: Slab::new(),
        }
    }

    /// Receives one batch and hands over each datagram; returns whether there may be more.
    pub fn receive(&mut self, mut take: impl FnMut(Arrival, &mut [u8])) -> io::Result<bool> {
        for header in &mut self.slab.headers {
            header.msg_hdr.msg_controllen = size_of::<Control>();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
        let (fd, headers) = (self.socket.as_raw_fd(), self.slab.headers.as_mut_ptr());
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: the headers point to names, control data and bytes of the given lengths, all owned by self.
        let result = unsafe { libc::recvmmsg(fd, headers, BATCH as u32, flags, ptr::null_mut()) };
        let count = match checked(result) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            result => result?,
        };
        for slot in 0..count {
            let (header, other) = (&self.slab.headers[slot], &self.slab.others[slot]);
            let (to, arrived_ns) = ancillary(&header.msg_hdr, &self.slab.controls[slot]);
            let ip = Ipv4Addr::from_bits(u32::from_be(other.sin_addr.s_addr));
            let arrival = Arrival {
                place: place(Ipv4Addr::from_bits(to)),
                from: SocketAddrV4::new(ip, u16::from_be(other.sin_port)),
                at_ns: arrived_ns,
            };
            let len = (header.msg_len as usize).min(SLOT_LEN);
            take(arrival, &mut self.slab.bytes[slot][..len]);
        }
        Ok(count == BATCH)
    }

    /// Waits until something arrives, or until there is something to read from `also`, or until the time is over.
    pub fn wait(&self, also: Option<RawFd>, timeout: Duration) -> io::Result<()> {
        wait(&[Some(self.socket.as_raw_fd()), also], timeout)
    }
}

/// Where and when a datagram arrived.
#[derive(Clone, Copy)]
pub struct Arrival {
    /// The place of the peer whose address it came to; there may be none.
    pub place: usize,
    /// Who sent it.
    pub from: SocketAddrV4,
    /// When, by the kernel's clock.
    pub at_ns: u64,
}

/// Waits until one of these has something to read or the time is over.
pub fn wait(fds: &[Option<RawFd>; 2], timeout: Duration) -> io::Result<()> {
    let mut entries = fds.map(|fd| libc::pollfd {
        // poll(2) passes over what is negative.
        fd: fd.unwrap_or(-1),
        events: libc::POLLIN,
        revents: 0,
    });
    let timeout = libc::timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let (first, count) = (entries.as_mut_ptr(), entries.len() as libc::nfds_t);
    // SAFETY: entries and time live through the call, and their number is given.
    match checked(unsafe { libc::ppoll(first, count, &raw const timeout, ptr::null()) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Which address a datagram came to, and when; zero for what the kernel did not say.
fn ancillary(header: &libc::msghdr, _owner: &Control) -> (u32, u64) {
    let (mut to, mut arrived_ns) = (0, 0);
    // SAFETY: the kernel has written whole entries into the header's control buffer and its length, and each type says what it holds.
    unsafe {
        let mut entry = libc::CMSG_FIRSTHDR(header);
        while !entry.is_null() {
            let data = libc::CMSG_DATA(entry);
            match ((*entry).cmsg_level, (*entry).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    to = u32::from_be(info.ipi_addr.s_addr);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    arrived_ns = to_ns(&data.cast::<libc::timespec>().read_unaligned());
                }
                _ => {}
            }
            entry = libc::CMSG_NXTHDR(header, entry);
        }
    }
    (to, arrived_ns)
}
