//! The STUN codec against the vectors of RFC 5769, and what it refuses.

use std::net::SocketAddr;

use pagecalls_media::stun::{Builder, Class, Key, Message, StunError, is_stun, peek_local_ufrag};
use proptest::prelude::*;

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const TRANSACTION: [u8; 12] = [
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
];

/// RFC 5769 2.1
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae\
    802200105354554e207465737420636c69656e74\
    002400046e0001ff\
    80290008932ff9b151263b36\
    000600096576746a3a68367659202020\
    000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2\
    80280004e57a3bcf";
/// RFC 5769 2.2
const IPV4_RESPONSE: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae\
    8022000b7465737420766563746f7220\
    002000080001a147e112a643\
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7\
    80280004c07d4c96";
/// RFC 5769 2.3
const IPV6_RESPONSE: &str = "010100482112a442b7e7a701bc34d686fa87dfae\
    8022000b7465737420766563746f7220\
    002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9\
    00080014a382954e4be67bf11784c97c8292c275bfe3ed41\
    80280004c8fb0b4c";

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

#[test]
fn the_sample_request_is_read() {
    let datagram = bytes(REQUEST);
    assert!(is_stun(&datagram));
    assert_eq!(peek_local_ufrag(&datagram), Some("evtj"));
    let message = Message::parse(&datagram).unwrap();
    assert_eq!(message.class, Class::Request);
    assert_eq!(message.transaction, TRANSACTION);
    assert_eq!(message.username, Some("evtj:h6vY"));
    assert_eq!(message.priority, Some(0x6e00_01ff));
    assert_eq!(message.controlled, Some(0x932f_f9b1_5126_3b36));
    assert_eq!(message.controlling, None);
    assert!(!message.use_candidate && message.has_fingerprint);
    assert!(message.unknown_required().is_empty());
    assert!(message.verify(&Key::new(PASSWORD)));
    assert!(!message.verify(&Key::new("VOkJxbRl1RmTxUk/WvJxBT")));
}

#[test]
fn the_sample_responses_are_read() {
    for (vector, address) in [
        (IPV4_RESPONSE, "192.0.2.1:32853"),
        (
            IPV6_RESPONSE,
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
        ),
    ] {
        let datagram = bytes(vector);
        let message = Message::parse(&datagram).unwrap();
        assert_eq!(message.class, Class::Success);
        assert_eq!(message.mapped, Some(address.parse().unwrap()));
        assert!(message.verify(&Key::new(PASSWORD)));
        assert_eq!(peek_local_ufrag(&datagram), None);
    }
}

#[test]
fn the_sample_responses_are_written() {
    for (vector, address) in [
        (IPV4_RESPONSE, "192.0.2.1:32853"),
        (IPV4_RESPONSE, "[::ffff:192.0.2.1]:32853"), // as a dual-stack socket shows it
        (
            IPV6_RESPONSE,
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
        ),
    ] {
        let mut out = vec![1, 2, 3];
        // The vectors fill up with spaces where we write zeros, so this SOFTWARE fills its four octets itself.
        let mut software = b"test vector ".to_vec();
        Builder::new(&mut out, Class::Success, TRANSACTION)
            .attribute(0x8022, &software)
            .xor_mapped(address.parse().unwrap())
            .finish(Some(&Key::new(PASSWORD)));
        let expected = bytes(vector);
        let end_of_address = expected.len() - 32;
        software.truncate(11);
        assert_eq!(out[..20], expected[..20]);
        assert_eq!(
            out[24..end_of_address],
            expected[24..end_of_address],
            "{address}"
        );
        let message = Message::parse(&out).unwrap();
        assert!(message.verify(&Key::new(PASSWORD)) && message.has_fingerprint);
    }
}

#[test]
fn a_written_request_is_read_back() {
    let mut out = Vec::new();
    Builder::new(&mut out, Class::Request, TRANSACTION)
        .username("ours:theirs")
        .priority(7)
        .controlling(8)
        .use_candidate()
        .finish(Some(&Key::new("secret")));
    let message = Message::parse(&out).unwrap();
    assert_eq!(message.username, Some("ours:theirs"));
    assert_eq!((message.priority, message.controlling), (Some(7), Some(8)));
    assert!(message.use_candidate && message.has_integrity() && message.has_fingerprint);
    assert!(message.verify(&Key::new("secret")));
    assert_eq!(peek_local_ufrag(&out), Some("ours"));
}

#[test]
fn every_damaged_bit_is_noticed() {
    let good = bytes(REQUEST);
    let key = Key::new(PASSWORD);
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        // FINGERPRINT covers all before it, and only a FINGERPRINT that became something else is not looked at.
        let believed = Message::parse(&bad).is_ok_and(|message| message.has_fingerprint);
        assert!(!believed, "bit {bit}");
        let signed_part = bit / 8 < good.len() - 8 && !(16..32).contains(&bit);
        if let (true, Ok(message)) = (signed_part, Message::parse(&bad)) {
            assert!(!message.verify(&key), "bit {bit}");
        }
    }
}

#[test]
fn what_is_not_stun_is_told_apart() {
    let good = bytes(REQUEST);
    assert!(!is_stun(&[]));
    assert!(!is_stun(&good[..19]));
    assert!(!is_stun(&good[..good.len() - 4]));
    assert!(!is_stun(&[&good[..], &[0; 4]].concat()));
    for first in [20, 22, 63, 128, 191, 4, 64] {
        let mut other = good.clone();
        other[0] = first;
        assert!(!is_stun(&other), "{first}");
        assert_eq!(Message::parse(&other).unwrap_err(), StunError::NotStun);
        assert_eq!(peek_local_ufrag(&other), None);
    }
    let mut without_cookie = good.clone();
    without_cookie[4] = 0;
    assert!(!is_stun(&without_cookie));
    let mut other_method = good;
    other_method[1] = 3; // Allocate
    assert_eq!(
        Message::parse(&other_method).unwrap_err(),
        StunError::NotStun
    );
}

/// A message of these raw attributes, without integrity and fingerprint.
fn raw(attributes: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 1];
    message.extend((attributes.len() as u16).to_be_bytes());
    message.extend([0x21, 0x12, 0xa4, 0x42]);
    message.extend(TRANSACTION);
    message.extend(attributes);
    message
}

#[test]
fn malformed_attributes_are_errors() {
    for (attributes, kind) in [
        (
            &[0x00, 0x06, 0x00, 0x05, b'a', b':', b'b', b'c'][..],
            0x0006,
        ), // runs over the end
        (&[0x00, 0x06, 0x00, 0x02, 0xff, 0xfe, 0, 0], 0x0006), // is no UTF-8
        (&[0x00, 0x24, 0x00, 0x02, 1, 2, 0, 0], 0x0024),       // is no 32 bits
        (&[0x80, 0x29, 0x00, 0x04, 1, 2, 3, 4], 0x8029),       // is no 64 bits
        (&[0x80, 0x2a, 0x00, 0x04, 1, 2, 3, 4], 0x802a),
        (&[0x00, 0x08, 0x00, 0x04, 1, 2, 3, 4], 0x0008), // is no HMAC
        (&[0x00, 0x20, 0x00, 0x04, 0, 1, 3, 4], 0x0020), // has no address
        (&[0x00, 0x20, 0x00, 0x08, 0, 3, 3, 4, 1, 2, 3, 4], 0x0020), // of no known family
        (&[0x00, 0x09, 0x00, 0x02, 4, 0, 0, 0], 0x0009),
        (&[0x80, 0x28, 0x00, 0x02, 4, 0, 0, 0], 0x8028),
    ] {
        let datagram = raw(attributes);
        assert!(is_stun(&datagram));
        assert_eq!(
            Message::parse(&datagram).unwrap_err(),
            StunError::BadAttribute(kind)
        );
    }
    let wrong = raw(&[0x80, 0x28, 0x00, 0x04, 1, 2, 3, 4]);
    assert_eq!(
        Message::parse(&wrong).unwrap_err(),
        StunError::BadFingerprint
    );
}

#[test]
fn what_follows_the_integrity_does_not_count() {
    let mut signed = Vec::new();
    let key = Key::new("secret");
    Builder::new(&mut signed, Class::Request, TRANSACTION)
        .username("ours:theirs")
        .finish(Some(&key));
    let mut attributes = signed[20..signed.len() - 8].to_vec();
    attributes.extend([0x00, 0x25, 0x00, 0x00]); // USE-CANDIDATE
    attributes.extend([0x00, 0x7f, 0x00, 0x00]); // something unknown
    let datagram = raw(&attributes);
    let message = Message::parse(&datagram).unwrap();
    assert!(message.verify(&key));
    assert!(!message.use_candidate && message.unknown_required().is_empty());

    let mut behind_fingerprint = signed[20..].to_vec();
    behind_fingerprint.extend([0x00, 0x25, 0x00, 0x00]);
    assert!(Message::parse(&raw(&behind_fingerprint)).is_err());
}

#[test]
fn attributes_that_must_be_understood_are_collected_and_bounded() {
    let mut attributes = vec![0xc0, 0x57, 0x00, 0x04, 1, 2, 3, 4]; // optional: a browser's network cost
    for kind in 0x70..0x7f {
        attributes.extend([0, kind, 0, 0]);
    }
    let datagram = raw(&attributes);
    let message = Message::parse(&datagram).unwrap();
    let expected: Vec<u16> = (0x70..0x78).collect();
    assert_eq!(message.unknown_required(), expected);
}

#[test]
fn the_first_username_counts_for_both_readers() {
    let datagram = raw(&[
        0, 6, 0, 3, b'a', b':', b'b', 0, 0, 6, 0, 3, b'c', b':', b'd', 0,
    ]);
    assert_eq!(peek_local_ufrag(&datagram), Some("a"));
    assert_eq!(Message::parse(&datagram).unwrap().username, Some("a:b"));
    assert_eq!(
        peek_local_ufrag(&raw(&[0, 6, 0, 3, b'a', b'b', b'c', 0])),
        None
    );
}

#[test]
fn error_codes_are_written_and_read() {
    for code in [300, 400, 401, 420, 487, 500, 699] {
        let mut out = Vec::new();
        Builder::new(&mut out, Class::Error, TRANSACTION)
            .error(code, "No")
            .finish(None);
        let message = Message::parse(&out).unwrap();
        assert_eq!((message.class, message.error), (Class::Error, Some(code)));
        assert!(!message.has_integrity());
    }
}

proptest! {
    /// Any address goes there and back.
    #[test]
    fn addresses_go_there_and_back(v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>(), port in any::<u16>(), transaction in any::<[u8; 12]>()) {
        for address in [SocketAddr::from((v4, port)), SocketAddr::from((v6, port))] {
            let mut out = Vec::new();
            Builder::new(&mut out, Class::Success, transaction).xor_mapped(address).finish(None);
            let expected = SocketAddr::new(address.ip().to_canonical(), port);
            prop_assert_eq!(Message::parse(&out).unwrap().mapped, Some(expected));
        }
    }
}
