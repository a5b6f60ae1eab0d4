//! Handshakes in the hands of a stranger. Either any datagrams at a fresh session of each role: no crash and no keys. Or a real
//! handshake of which datagrams are damaged, lost, doubled, held back or mixed with others: who gets keys, gets the same as the other
//! end, and then lives on whatever comes, while OpenSSL holds the connection and after that.
//!
//! The first octet says which. Datagrams are cut by lengths of two octets each; the steps of a handshake are described at [`Step`].
//! Every input has sessions of its own. What OpenSSL draws by lot is another each time, so an input that fails may have to run again.

#![no_main]

use std::collections::VecDeque;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use pagecalls_media::dtls::{Certificate, Context, Fingerprint, Progress, Role, Session};

/// Datagrams of a handshake, doubled ones included, after which it is given up.
const MOST: usize = 64;

struct Ends {
    context: Context,
    expected: [Fingerprint; 1],
}

impl Ends {
    fn new() -> Self {
        let certificate = Certificate::generate().expect("a certificate");
        let context = Context::new(&certificate).expect("a context");
        let expected = Fingerprint::parse("sha-256", &certificate.fingerprint_sha256());
        let expected = [expected.expect("our own spelling")];
        Self { context, expected }
    }

    fn session(&self, role: Role) -> Session {
        let mut session = Session::new(&self.context, role).expect("a session");
        session.set_expected(&self.expected);
        session.start(Instant::now()).expect("a first flight");
        session
    }
}

thread_local! {
    static ENDS: Ends = Ends::new();
}

fn sent(session: &mut Session) -> Vec<Vec<u8>> {
    let mut datagram = Vec::new();
    std::iter::from_fn(|| {
        session
            .poll_transmit(&mut datagram)
            .map(|_| datagram.clone())
    })
    .collect()
}

fn receive_fresh(ends: &Ends, role: Role, input: &[u8]) {
    let mut fresh = ends.session(role);
    for datagram in datagrams(input) {
        let result = fresh.receive(datagram, Instant::now());
        assert!(!matches!(result, Ok(Progress::Connected { .. })));
        sent(&mut fresh);
    }
}

fn datagrams(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || take(&mut input))
}

/// What a length of two octets announces, or as much of it as is there.
fn take<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = input.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes(*len));
    let (datagram, rest) = rest.split_at(rest.len().min(len));
    *input = rest;
    Some(datagram)
}

/// What happens to the datagram with this number: the first two octets of a step are number and deed, what follows is the deed's.
struct Step<'a> {
    number: u8,
    deed: Deed<'a>,
}

enum Deed<'a> {
    /// An octet changes: where, and which bits.
    Flip(u16, u8),
    /// The end is missing.
    Cut(u16),
    Lose,
    Double,
    /// It comes after what is under way.
    Hold,
    /// Another one comes before it.
    Insert(&'a [u8]),
}

fn steps(mut input: &[u8]) -> Vec<Step<'_>> {
    let step = || {
        let (&[number, deed], rest) = input.split_first_chunk()?;
        input = rest;
        let place = |input: &mut &[u8]| {
            let (place, rest) = input.split_first_chunk()?;
            *input = rest;
            Some(u16::from_be_bytes(*place))
        };
        let deed = match deed % 6 {
            0 => {
                let place = place(&mut input)?;
                let (bits, rest) = input.split_first()?;
                input = rest;
                Deed::Flip(place, *bits)
            }
            1 => Deed::Cut(place(&mut input)?),
            2 => Deed::Lose,
            3 => Deed::Double,
            4 => Deed::Hold,
            _ => Deed::Insert(take(&mut input)?),
        };
        Some(Step { number, deed })
    };
    std::iter::from_fn(step).collect()
}

type Keys = (Vec<u8>, Vec<u8>);

/// One end, what it has received, and its keys: its own and the other end's.
struct End {
    session: Session,
    received: Vec<Vec<u8>>,
    keys: Option<(Keys, Keys)>,
}

impl End {
    fn new(ends: &Ends, role: Role) -> Self {
        Self {
            session: ends.session(role),
            received: Vec::new(),
            keys: None,
        }
    }

    fn receive(&mut self, datagram: Vec<u8>) {
        let result = self.session.receive(&datagram, Instant::now());
        if let Ok(Progress::Connected { local, remote, .. }) = result {
            assert!(self.keys.is_none(), "keys are handed out once");
            self.keys = Some((local, remote));
        }
        self.received.push(datagram);
    }

    /// If it is connected: nothing that has come, and none of these others, does anything to it.
    fn live_on(&mut self, others: &[Step<'_>]) {
        if !self.session.is_connected() {
            return;
        }
        let others = others.iter().filter_map(|step| match step.deed {
            Deed::Insert(datagram) => Some(datagram),
            _ => None,
        });
        let all = self.received.iter().map(Vec::as_slice).chain(others);
        for datagram in all {
            let result = self.session.receive(datagram, Instant::now());
            assert!(matches!(result, Ok(Progress::Nothing)), "{result:?}");
            sent(&mut self.session);
        }
        assert!(self.session.is_connected());
    }
}

fn shake_hands(ends: &Ends, steps: &[Step<'_>]) {
    let mut both = [Role::Active, Role::Passive].map(|role| End::new(ends, role));
    let mut under_way: VecDeque<(usize, Vec<u8>)> = VecDeque::new();
    let first = sent(&mut both[0].session);
    under_way.extend(first.into_iter().map(|datagram| (1, datagram)));
    let mut number = 0;
    while let Some((to, mut datagram)) = under_way.pop_front().filter(|_| number < MOST) {
        let mut is_there = true;
        for step in steps
            .iter()
            .filter(|step| usize::from(step.number) == number)
        {
            let len = datagram.len().max(1);
            match step.deed {
                Deed::Flip(place, bits) => {
                    if let Some(octet) = datagram.get_mut(usize::from(place) % len) {
                        *octet ^= bits;
                    }
                }
                Deed::Cut(place) => datagram.truncate(usize::from(place) % len),
                Deed::Lose => is_there = false,
                Deed::Double => both[to].receive(datagram.clone()),
                Deed::Hold => {
                    under_way.push_back((to, datagram.clone()));
                    is_there = false;
                }
                Deed::Insert(other) => both[to].receive(other.to_vec()),
            }
        }
        if is_there {
            both[to].receive(datagram);
        }
        number += 1;
        for from in [0, 1] {
            let answers = sent(&mut both[from].session).into_iter();
            under_way.extend(answers.map(|datagram| (1 - from, datagram)));
        }
    }
    let [client, server] = &both;
    match (&client.keys, &server.keys) {
        (Some((local, remote)), Some((others, ours))) => {
            assert!(local == ours && remote == others);
        }
        _ => assert!(!steps.is_empty(), "an undisturbed handshake fails"),
    }
    for end in &mut both {
        end.live_on(steps);
        end.session.settle();
        end.live_on(steps);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((what, rest)) = input.split_first() else {
        return;
    };
    ENDS.with(|ends| {
        if what & 1 == 1 {
            shake_hands(ends, &steps(rest));
        } else {
            receive_fresh(ends, Role::Passive, rest);
            receive_fresh(ends, Role::Active, rest);
        }
    });
});
