//! Which addresses a start listens on, and which of them peers are told.
//!
//! What the operator names is taken as it is, and fails where it cannot be had. A wildcard stands for what the machine has just now: an
//! address that cannot be used yet (IPv6 that is still being checked for a duplicate, or is one) or that is one too many does not stop
//! the start, and is said. Nothing here opens a port.

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};

use crate::udp::MAX_HOSTS;

/// The addresses of one start.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Those that are listened on.
    pub bound: Vec<IpAddr>,
    /// Those that peers are told.
    pub told: Vec<IpAddr>,
    /// Those of a wildcard that are not listened on: they cannot be used, or there are too many.
    pub left_out: Vec<IpAddr>,
}

impl Hosts {
    /// A wildcard stands for the addresses of all `interfaces`, `::` for those of both families, as in Linux. Peers are told the
    /// `public` addresses, else those that are bound, with the loopback of a wildcard only where there is nothing else.
    pub fn choose(
        hosts: &[IpAddr],
        public: &[IpAddr],
        interfaces: &[IpAddr],
        is_usable: impl Fn(IpAddr) -> bool,
    ) -> Self {
        let mut chosen = Self::default();
        let (wild, named): (Vec<IpAddr>, Vec<IpAddr>) =
            hosts.iter().partition(|host| host.is_unspecified());
        for host in named {
            if !chosen.bound.contains(&host) {
                chosen.bound.push(host);
            }
        }
        chosen.told.clone_from(&chosen.bound);
        let is_meant =
            |address: &IpAddr| wild.iter().any(|host| address.is_ipv4() || host.is_ipv6());
        let (loopback, others): (Vec<IpAddr>, Vec<IpAddr>) = interfaces
            .iter()
            .filter(|address| is_meant(address))
            .partition(|address| address.is_loopback());
        for address in others.into_iter().chain(loopback) {
            chosen.add(address, &is_usable);
        }
        if !public.is_empty() {
            chosen.told.clear();
            for address in public {
                if !chosen.told.contains(address) {
                    chosen.told.push(*address);
                }
            }
        }
        chosen
    }

    /// Adds an address that a wildcard stands for. Loopback comes last.
    fn add(&mut self, address: IpAddr, is_usable: impl Fn(IpAddr) -> bool) {
        if self.bound.contains(&address) || self.left_out.contains(&address) {
            return;
        }
        if self.bound.len() >= MAX_HOSTS || !is_usable(address) {
            self.left_out.push(address);
            return;
        }
        self.bound.push(address);
        if !address.is_loopback() || self.told.iter().all(IpAddr::is_loopback) {
            self.told.push(address);
        }
    }
}

/// Whether a socket can have this address now. What else may be wrong shows when it is opened.
#[must_use]
pub fn is_usable(address: IpAddr) -> bool {
    let opened = UdpSocket::bind((address, 0));
    opened.map_or_else(
        |error| error.kind() != ErrorKind::AddrNotAvailable,
        |_| true,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    const MACHINE: [&str; 5] = ["127.0.0.1", "192.0.2.1", "::1", "2001:db8::1", "192.0.2.2"];

    #[test]
    fn a_wildcard_stands_for_its_family_and_loopback_is_told_only_for_want_of_others() {
        let choose = |hosts: &[&str], machine: &[&str]| {
            Hosts::choose(&ips(hosts), &[], &ips(machine), |_| true)
        };
        let v4 = choose(&["0.0.0.0"], &MACHINE);
        assert_eq!(v4.bound, ips(&["192.0.2.1", "192.0.2.2", "127.0.0.1"]));
        assert_eq!(v4.told, ips(&["192.0.2.1", "192.0.2.2"]));
        let all = choose(&["::", "192.0.2.2"], &MACHINE);
        let bound = ["192.0.2.2", "192.0.2.1", "2001:db8::1", "127.0.0.1", "::1"];
        assert_eq!((all.bound, all.left_out), (ips(&bound), vec![]));
        assert_eq!(all.told, ips(&bound[..3]));
        let alone = choose(&["0.0.0.0"], &["127.0.0.1"]);
        assert_eq!((&alone.bound, alone.told.len()), (&alone.told, 1));
        let public = Hosts::choose(
            &ips(&["0.0.0.0"]),
            &ips(&["203.0.113.7"]),
            &ips(&MACHINE),
            |_| true,
        );
        assert_eq!(
            (public.bound.len(), public.told),
            (3, ips(&["203.0.113.7"]))
        );
    }

    #[test]
    fn what_a_wildcard_cannot_have_is_left_out_and_what_is_named_is_not() {
        let bad: IpAddr = "2001:db8::1".parse().unwrap();
        let chosen = Hosts::choose(&ips(&["::"]), &[], &ips(&MACHINE), |ip| ip != bad);
        assert_eq!((chosen.bound.len(), &chosen.left_out[..]), (4, &[bad][..]));
        assert!(!chosen.told.contains(&bad));
        let named = Hosts::choose(&[bad], &[], &ips(&MACHINE), |_| false);
        assert_eq!((named.bound, named.left_out), (vec![bad], vec![]));
    }

    #[test]
    fn of_too_many_addresses_loopback_is_left_out_first() {
        let mut machine = ips(&["127.0.0.1"]);
        machine.extend((1..=40).map(|last| IpAddr::from([192, 0, 2, last])));
        let chosen = Hosts::choose(&ips(&["0.0.0.0"]), &[], &machine, |_| true);
        assert_eq!(chosen.bound, machine[1..=MAX_HOSTS]);
        assert_eq!(
            (chosen.told, chosen.left_out.len()),
            (chosen.bound, 41 - MAX_HOSTS)
        );
        assert_eq!(chosen.left_out.last(), machine.first());
    }

    #[test]
    fn an_address_of_another_machine_is_not_usable() {
        // RFC 5737: nobody has it.
        let usable = ["127.0.0.1", "192.0.2.1"].map(|text| is_usable(text.parse().unwrap()));
        assert_eq!(usable, [true, false]);
    }
}
