//! One UDP socket for all peers, so that one system call sends or receives for many of them.
//!
//! Each peer has a loopback address of its own, 127.1.0.0 and up, all with the same port: ancillary data says for each datagram which
//! peer sends it, which peer it is for, and when it arrived by the kernel's clock (ip(7), socket(7)).

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::Outcome;
use crate::measure::to_ns;

/// Datagrams per system call.
const BATCH: usize = 64;
/// Octets of the longest datagram.
const SLOT_LEN: usize = 1_500;
/// Kernel buffers, as far as the system's limits allow.
const BUFFER_LEN: libc::c_int = 4 * 1024 * 1024;
/// The first peer's address.
const FIRST: u32 = u32::from_be_bytes([127, 1, 0, 0]);

/// Room for two pieces of ancillary data: an address and a time.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Memory for one batch. The headers point into the other boxes, which never move.
struct Slab {
    headers: Box<[libc::mmsghdr]>,
    bytes: Box<[[u8; SLOT_LEN]]>,
    controls: Box<[Control]>,
    _parts: Box<[libc::iovec]>,
}

impl Slab {
    fn new() -> Self {
        let mut bytes = vec![[0; SLOT_LEN]; BATCH].into_boxed_slice();
        let mut controls = vec![Control([0; 64]); BATCH].into_boxed_slice();
        let part = |slot: &mut [u8; SLOT_LEN]| libc::iovec {
            iov_base: slot.as_mut_ptr().cast(),
            iov_len: SLOT_LEN,
        };
        let mut parts: Box<[libc::iovec]> = bytes.iter_mut().map(part).collect();
        let header = |(part, control): (&mut libc::iovec, &mut Control)| {
            // SAFETY: plain C data for which zero is valid.
            let mut header: libc::mmsghdr = unsafe { zeroed() };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header
        };
        let headers = parts.iter_mut().zip(&mut controls).map(header).collect();
        Self {
            headers,
            bytes,
            controls,
            _parts: parts,
        }
    }
}

/// Opens the socket. Its two ends do not wait for each other.
pub fn open(engine: SocketAddrV4) -> io::Result<(Sender, Receiver)> {
    let socket = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?);
    for (level, option, value) in [
        (libc::SOL_SOCKET, libc::SO_RCVBUF, BUFFER_LEN),
        (libc::SOL_SOCKET, libc::SO_SNDBUF, BUFFER_LEN),
        (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1),
        (libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
    ] {
        set_option(&socket, level, option, &value.to_ne_bytes())?;
    }
    // Nobody outside this machine has business here.
    set_option(&socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, b"lo\0")?;
    // The default rounds all waits up by 50 us.
    // SAFETY: takes no pointers; it concerns this thread alone and cannot fail.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    Ok((
        Sender::new(Arc::clone(&socket), engine),
        Receiver::new(socket),
    ))
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

/// Sends in batches.
pub struct Sender {
    socket: Arc<UdpSocket>,
    slab: Slab,
    count: usize,
    _engine: Box<libc::sockaddr_in>,
}

impl Sender {
    fn new(socket: Arc<UdpSocket>, engine: SocketAddrV4) -> Self {
        // SAFETY: plain C data for which zero is valid.
        let mut address: Box<libc::sockaddr_in> = Box::new(unsafe { zeroed() });
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_port = engine.port().to_be();
        address.sin_addr.s_addr = u32::from(*engine.ip()).to_be();
        let mut slab = Slab::new();
        for header in &mut slab.headers {
            let header = &mut header.msg_hdr;
            header.msg_name = ptr::from_mut(address.as_mut()).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            // SAFETY: takes no pointers.
            header.msg_controllen =
                unsafe { libc::CMSG_SPACE(size_of::<libc::in_pktinfo>() as u32) } as usize;
        }
        Self {
            socket,
            slab,
            count: 0,
            _engine: address,
        }
    }

    /// Makes what `write` leaves in the slot a datagram from the peer at `from`; `write` returns its length.
    pub fn queue(&mut self, from: usize, write: impl FnOnce(&mut [u8]) -> usize) -> io::Result<()> {
        if self.count == BATCH {
            self.flush()?;
        }
        let header = &mut self.slab.headers[self.count].msg_hdr;
        let info = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr {
                s_addr: (FIRST + from as u32).to_be(),
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
        // SAFETY: every header points to a part of the slab.
        unsafe { (*header.msg_iov).iov_len = len };
        self.count += 1;
        Ok(())
    }

    /// Sends all that is queued.
    pub fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.count {
            let headers = self.slab.headers[sent..].as_mut_ptr();
            let left = (self.count - sent) as u32;
            // SAFETY: the headers point to addresses, control data and bytes of the given lengths, all owned by self.
            sent += checked(unsafe { libc::sendmmsg(self.socket.as_raw_fd(), headers, left, 0) })?;
        }
        self.count = 0;
        Ok(())
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

    /// Receives one batch and hands over each datagram with its peer's place and its time of arrival; returns whether there may be more.
    pub fn receive(
        &mut self,
        mut take: impl FnMut(usize, &mut [u8], u64) -> Outcome<()>,
    ) -> Outcome<bool> {
        for header in &mut self.slab.headers {
            header.msg_hdr.msg_controllen = size_of::<Control>();
        }
        let (fd, headers) = (self.socket.as_raw_fd(), self.slab.headers.as_mut_ptr());
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: the headers point to control data and bytes of the given lengths, all owned by self.
        let result = unsafe { libc::recvmmsg(fd, headers, BATCH as u32, flags, ptr::null_mut()) };
        let count = match checked(result) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            result => result?,
        };
        for place in 0..count {
            let header = &self.slab.headers[place];
            let (to, arrived_ns) = ancillary(&header.msg_hdr, &self.slab.controls[place]);
            let len = (header.msg_len as usize).min(SLOT_LEN);
            let at = to.wrapping_sub(FIRST) as usize;
            take(at, &mut self.slab.bytes[place][..len], arrived_ns)?;
        }
        Ok(count == BATCH)
    }

    /// Waits until something arrives or the time is over.
    pub fn wait(&self, timeout: Duration) -> io::Result<()> {
        let mut entry = libc::pollfd {
            fd: self.socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let timeout = libc::timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // SAFETY: entry and time live through the call, and there is one entry.
        checked(unsafe { libc::ppoll(&raw mut entry, 1, &raw const timeout, ptr::null()) })
            .map(drop)
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
