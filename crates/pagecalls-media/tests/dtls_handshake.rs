//! Handshakes: between our own roles, with foreign peers, and with those that are not who they should be.

mod dtls_support;

use std::time::Duration;

use dtls_support::{Clock, End, Fate, Foreign, Identity, run};
use openssl::ssl::SslVersion;
use pagecalls_media::dtls::{Certificate, Context, DtlsError, HashAlg, Progress, Role, Session};
use pagecalls_media::srtp::{Inbound, Keys, Outbound, Profile};

const MINUTE: Duration = Duration::from_secs(60);

fn ours() -> (Certificate, Context) {
    let certificate = Certificate::generate().unwrap();
    let context = Context::new(&certificate).unwrap();
    (certificate, context)
}

/// Two ends of ours that expect each other, client first, connected.
fn connected(clock: &mut Clock) -> (End, End) {
    let (certificate, context) = ours();
    let mut client = End::expecting(&context, Role::Active, &certificate);
    let mut server = End::expecting(&context, Role::Passive, &certificate);
    run(clock, &mut client, &mut server, MINUTE, |_| Fate::Deliver);
    assert!(client.session.is_connected() && server.session.is_connected());
    (client, server)
}

/// Our passive end against a foreign client.
fn passive_against(foreign: &mut Foreign, identity: &Identity) -> End {
    let (_, context) = ours();
    let mut end = End::new(&context, Role::Passive);
    end.session
        .set_expected(&[identity.fingerprint(HashAlg::Sha256)]);
    foreign.talk(&mut end, Clock::new().now);
    end
}

#[test]
fn our_roles_agree_on_keys() {
    let mut clock = Clock::new();
    let (client, server) = connected(&mut clock);
    let (client, server) = (client.keys.unwrap(), server.keys.unwrap());
    assert_eq!(client.profile, Profile::AeadAes128Gcm);
    assert_eq!(server.profile, client.profile);
    assert_eq!(client.local, server.remote);
    assert_eq!(client.remote, server.local);

    let mut sender = Outbound::new(client.profile, &client.local.0, &client.local.1).unwrap();
    let mut receiver = Inbound::new(server.profile, &server.remote.0, &server.remote.1).unwrap();
    let mut packet = vec![0x80; 60 + client.profile.rtp_overhead()];
    let len = sender.protect_rtp(&mut packet, 12, 60).unwrap();
    assert_eq!(receiver.unprotect_rtp(&mut packet[..len], 12), Ok(60));
}

#[test]
fn no_retransmission_is_due_after_the_handshake() {
    let mut clock = Clock::new();
    let (client, server) = connected(&mut clock);
    assert_eq!(client.session.next_timeout(clock.now), None);
    assert_eq!(server.session.next_timeout(clock.now), None);
}

#[test]
fn a_foreign_client_gets_the_profile_that_we_prefer() {
    let identity = Identity::ecdsa();
    for (offered, agreed) in [
        (
            "SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM",
            Profile::AeadAes128Gcm,
        ),
        (
            "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM",
            Profile::AeadAes256Gcm,
        ),
        (
            "SRTP_AES128_CM_SHA1_32:SRTP_AES128_CM_SHA1_80",
            Profile::Aes128CmSha1_80,
        ),
    ] {
        let mut foreign = Foreign::new(Some(&identity), true, 1200, |builder| {
            builder.set_tlsext_use_srtp(offered).unwrap();
        });
        let end = passive_against(&mut foreign, &identity);
        let keys = end.keys.expect(offered);
        let (profile, exported) = foreign.exported();
        assert_eq!((keys.profile, profile), (agreed, agreed));
        let expected = Keys::split(profile, &exported).unwrap();
        assert_eq!(
            (keys.local, keys.remote),
            (expected.server, expected.client)
        );
    }
}

#[test]
fn rsa_and_ecdsa_peers_are_served_in_both_roles() {
    for identity in [Identity::ecdsa(), Identity::rsa(2048)] {
        for foreign_is_client in [true, false] {
            let (_, context) = ours();
            let role = if foreign_is_client {
                Role::Passive
            } else {
                Role::Active
            };
            let mut end = End::new(&context, role);
            end.session
                .set_expected(&[identity.fingerprint(HashAlg::Sha256)]);
            let mut foreign = Foreign::new(Some(&identity), foreign_is_client, 1200, |_| {});
            foreign.talk(&mut end, Clock::new().now);
            assert!(foreign.done, "{:?}", foreign.error);
            let keys = end.keys.expect("connected");
            let (profile, exported) = foreign.exported();
            let expected = Keys::split(profile, &exported).unwrap();
            let (local, remote) = match role {
                Role::Passive => (expected.server, expected.client),
                Role::Active => (expected.client, expected.server),
            };
            assert_eq!((keys.local, keys.remote), (local, remote));
        }
    }
}

#[test]
fn a_client_hello_and_a_certificate_in_many_fragments_are_joined() {
    let identity = Identity::rsa(4096);
    let mut foreign = Foreign::new(Some(&identity), true, 256, |builder| {
        builder
            .set_alpn_protos(&[&[250][..], &[b'x'; 250]].concat())
            .unwrap(); // makes the hello longer
    });
    foreign.handshake();
    let first_flight = foreign.stream.get_ref().outbound.len();
    assert!(first_flight > 1, "the hello has {first_flight} fragments");
    let end = passive_against(&mut foreign, &identity);
    assert!(foreign.done, "{:?}", foreign.error);
    assert!(end.session.is_connected());
}

#[test]
fn any_one_of_several_fingerprints_suffices() {
    let (peer, other) = (Identity::ecdsa(), Identity::ecdsa());
    for alg in [
        HashAlg::Sha1,
        HashAlg::Sha256,
        HashAlg::Sha384,
        HashAlg::Sha512,
    ] {
        let (_, context) = ours();
        let mut end = End::new(&context, Role::Passive);
        let wrong = other.fingerprint(HashAlg::Sha256);
        end.session
            .set_expected(&[wrong.clone(), peer.fingerprint(alg), wrong]);
        Foreign::new(Some(&peer), true, 1200, |_| {}).talk(&mut end, Clock::new().now);
        assert!(end.session.is_connected(), "{alg:?}");
    }
}

#[test]
fn a_certificate_that_was_not_announced_gets_no_keys() {
    let (peer, announced) = (Identity::ecdsa(), Identity::ecdsa());
    for foreign_is_client in [true, false] {
        let (_, context) = ours();
        let role = if foreign_is_client {
            Role::Passive
        } else {
            Role::Active
        };
        let mut end = End::new(&context, role);
        end.session
            .set_expected(&[announced.fingerprint(HashAlg::Sha256)]);
        let mut foreign = Foreign::new(Some(&peer), foreign_is_client, 1200, |_| {});
        foreign.talk(&mut end, Clock::new().now);
        assert!(end.keys.is_none());
        assert_eq!(end.errors, [DtlsError::FingerprintMismatch]);
        assert!(!end.session.is_connected());
        // The peer is told, and what it says then is not heard.
        let farewell = foreign.stream.ssl_read(&mut [0; 100]).unwrap_err();
        assert_eq!(farewell.code(), openssl::ssl::ErrorCode::ZERO_RETURN);
        foreign.stream.ssl_write(b"but").unwrap();
        foreign.talk(&mut end, Clock::new().now);
        assert_eq!(end.errors.len(), 1);
    }
}

#[test]
fn a_client_without_certificate_counts_as_a_mismatch() {
    let mut foreign = Foreign::new(None, true, 1200, |_| {});
    let end = passive_against(&mut foreign, &Identity::ecdsa());
    assert!(end.keys.is_none());
    assert_eq!(end.errors, [DtlsError::FingerprintMismatch]);
}

#[test]
fn a_peer_without_srtp_gets_no_keys() {
    let identity = Identity::ecdsa();
    let mut foreign = Foreign::new(Some(&identity), true, 1200, |builder| {
        builder
            .set_tlsext_use_srtp("SRTP_AES128_CM_SHA1_32")
            .unwrap();
    });
    let end = passive_against(&mut foreign, &identity);
    assert!(end.keys.is_none());
    assert_eq!(end.errors, [DtlsError::NoSrtpProfile]);
}

#[test]
fn keys_wait_for_the_fingerprints() {
    let identity = Identity::ecdsa();
    let (_, context) = ours();
    let mut end = End::new(&context, Role::Passive);
    let mut foreign = Foreign::new(Some(&identity), true, 1200, |_| {});
    foreign.talk(&mut end, Clock::new().now);
    assert!(foreign.done);
    assert!(end.keys.is_none() && !end.session.is_connected());
    let polled = end.session.poll();
    end.note(polled);
    assert!(end.keys.is_none());

    end.session
        .set_expected(&[identity.fingerprint(HashAlg::Sha256)]);
    let polled = end.session.poll();
    end.note(polled);
    assert!(end.keys.is_some() && end.session.is_connected());
    let polled = end.session.poll();
    end.note(polled); // says it once
}

#[test]
fn fingerprints_that_come_late_are_compared_too() {
    let (_, context) = ours();
    let mut end = End::new(&context, Role::Passive);
    Foreign::new(Some(&Identity::ecdsa()), true, 1200, |_| {}).talk(&mut end, Clock::new().now);
    end.session
        .set_expected(&[Identity::ecdsa().fingerprint(HashAlg::Sha256)]);
    let polled = end.session.poll();
    end.note(polled);
    assert_eq!(end.errors, [DtlsError::FingerprintMismatch]);
    assert!(end.keys.is_none());
}

#[test]
fn dtls_1_0_and_foreign_ciphers_fail_the_handshake_of_that_session_alone() {
    let identity = Identity::ecdsa();
    let old = Foreign::new(Some(&identity), true, 1200, |builder| {
        builder.set_security_level(0);
        builder
            .set_min_proto_version(Some(SslVersion::DTLS1))
            .unwrap();
        builder
            .set_max_proto_version(Some(SslVersion::DTLS1))
            .unwrap();
    });
    let odd = Foreign::new(Some(&identity), true, 1200, |builder| {
        builder.set_cipher_list("AES128-GCM-SHA256").unwrap();
    });
    for mut foreign in [old, odd] {
        let (_, context) = ours();
        let mut good = End::new(&context, Role::Passive);
        good.session
            .set_expected(&[identity.fingerprint(HashAlg::Sha256)]);
        let mut bad = End::new(&context, Role::Passive);
        foreign.talk(&mut bad, Clock::new().now);
        assert!(
            matches!(bad.errors[..], [DtlsError::Handshake(_)]),
            "{:?}",
            bad.errors
        );
        assert!(foreign.error.is_some(), "the alert reached it");
        // OpenSSL's queue of errors is one per thread; what the first left must not hit the second.
        Foreign::new(Some(&identity), true, 1200, |_| {}).talk(&mut good, Clock::new().now);
        assert!(good.session.is_connected());
    }
}

#[test]
fn a_refusal_by_the_peer_is_a_handshake_error() {
    let identity = Identity::ecdsa();
    let (_, context) = ours();
    let mut end = End::new(&context, Role::Passive);
    let mut foreign = Foreign::new(Some(&identity), true, 1200, |builder| {
        builder.set_verify_callback(openssl::ssl::SslVerifyMode::PEER, |_, _| false);
    });
    foreign.talk(&mut end, Clock::new().now);
    assert!(
        matches!(end.errors[..], [DtlsError::Handshake(_)]),
        "{:?}",
        end.errors
    );
}

#[test]
fn close_notify_is_heard_long_after_connecting_and_once() {
    for server_closes in [true, false] {
        let mut clock = Clock::new();
        let (mut client, mut server) = connected(&mut clock);
        clock.advance(Duration::from_secs(3600));
        let (closer, other) = if server_closes {
            (&mut server, &mut client)
        } else {
            (&mut client, &mut server)
        };
        closer.session.close();
        assert!(!closer.session.is_connected());
        let farewell = closer.sent();
        assert_eq!(farewell.len(), 1);
        other.receive(&farewell[0], clock.now);
        assert_eq!(other.closed, 1);
        assert!(!other.session.is_connected());
        other.receive(&farewell[0], clock.now);
        assert_eq!((other.closed, other.errors.len()), (1, 0));
    }
}

#[test]
fn a_goodbye_that_comes_before_the_fingerprints_is_told_after_the_keys() {
    let identity = Identity::ecdsa();
    let (_, context) = ours();
    let mut end = End::new(&context, Role::Passive);
    let mut foreign = Foreign::new(Some(&identity), true, 1200, |_| {});
    let now = Clock::new().now;
    foreign.talk(&mut end, now);
    foreign.stream.shutdown().unwrap();
    foreign.talk(&mut end, now);
    assert_eq!(end.closed, 0);
    end.session
        .set_expected(&[identity.fingerprint(HashAlg::Sha256)]);
    for _ in 0..3 {
        let polled = end.session.poll();
        end.note(polled);
    }
    assert!(end.keys.is_some());
    assert_eq!(end.closed, 1);
}

#[test]
fn closing_before_the_handshake_says_nothing() {
    let (_, context) = ours();
    for role in [Role::Passive, Role::Active] {
        let mut session = Session::new(&context, role).unwrap();
        session.close();
        session.close();
        assert_eq!(session.poll_transmit(&mut Vec::new()), None);
        let started = session.start(Clock::new().now);
        assert!(matches!(started, Ok(Progress::Nothing)));
        assert_eq!(session.poll_transmit(&mut Vec::new()), None);
    }
}

#[test]
fn application_data_is_dropped() {
    let identity = Identity::ecdsa();
    let (_, context) = ours();
    let mut end = End::new(&context, Role::Passive);
    end.session
        .set_expected(&[identity.fingerprint(HashAlg::Sha256)]);
    let mut foreign = Foreign::new(Some(&identity), true, 1200, |_| {});
    let now = Clock::new().now;
    foreign.talk(&mut end, now);
    for len in [1, 100, 1100] {
        foreign.stream.ssl_write(&vec![7; len]).unwrap();
    }
    foreign.talk(&mut end, now);
    assert!(end.session.is_connected() && end.errors.is_empty());
    foreign.stream.shutdown().unwrap();
    foreign.talk(&mut end, now);
    assert_eq!(end.closed, 1);
}
