//! A connection after its handshake, without OpenSSL: it hears the peer's alerts and says goodbye. Nothing else is said in DTLS then,
//! for media goes by SRTP.
//!
//! One alert is one record of fixed length (RFC 5246 7.2, RFC 5288, RFC 6347 4.1). There is no replay window because there is nothing to
//! replay: an alert either ends the connection, and is the last that is heard, or does nothing.

use std::fmt;

use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

use super::ffi;
use super::keys::{RecordKey, SALT_LEN};
use super::record::{ALERT, HEADER_LEN, NONCE_LEN, Record, TAG_LEN, VERSION, records};
use crate::error::DtlsError;

const ALERT_LEN: usize = 2;
const BODY_LEN: usize = NONCE_LEN + ALERT_LEN + TAG_LEN;
const RECORD_LEN: usize = HEADER_LEN + BODY_LEN;
const EPOCH: u16 = 1;
const WARNING: u8 = 1;
const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;

/// What a peer had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that matters.
    Nothing,
    /// `close_notify`.
    Goodbye,
}

/// The record that we wrote last. The next one takes the numbers that follow: neither may come again under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its number, 48 bits.
    pub seq: u64,
    /// The explicit part of its nonce. OpenSSL begins with a random one.
    pub nonce: u64,
}

impl Written {
    /// The last encrypted record of a datagram of ours.
    #[must_use]
    pub fn last_of(datagram: &[u8]) -> Option<Self> {
        let record = records(datagram)
            .filter(|record| record.epoch == EPOCH)
            .last()?;
        Some(Self {
            seq: record.seq,
            nonce: u64::from_be_bytes(*record.body.first_chunk()?),
        })
    }
}

/// The two directions of a connection whose handshake is done.
pub struct Alerts {
    read: RecordKey,
    write: RecordKey,
    written: Written,
    outbound: Option<[u8; RECORD_LEN]>,
}

impl Alerts {
    /// What remains of a connection that has written `written` last.
    #[must_use]
    pub fn new(read: RecordKey, write: RecordKey, written: Written) -> Self {
        Self {
            read,
            write,
            written,
            outbound: None,
        }
    }

    /// Takes a datagram. Whatever is in it, forged alerts do nothing.
    pub fn receive(&mut self, datagram: &[u8]) -> Result<Heard, DtlsError> {
        for record in records(datagram) {
            match self.open(&record) {
                Some([_, CLOSE_NOTIFY]) => return Ok(Heard::Goodbye),
                Some([FATAL, what]) => return Err(DtlsError::Alert(ffi::alert_text(what))),
                _ => {}
            }
        }
        Ok(Heard::Nothing)
    }

    /// Makes `close_notify` ready to send.
    pub fn say_goodbye(&mut self) {
        // It fails only without memory, and a goodbye that is not said is no harm: the peer's own timers end the call.
        self.outbound = self.seal([WARNING, CLOSE_NOTIFY]).ok();
    }

    /// What is to be sent.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.outbound.take().map(Vec::from)
    }

    fn open(&self, record: &Record<'_>) -> Option<[u8; ALERT_LEN]> {
        let body: &[u8; BODY_LEN] = record.body.try_into().ok()?;
        if (record.kind, record.version, record.epoch) != (ALERT, VERSION, EPOCH) {
            return None;
        }
        let (nonce, sealed) = body.split_first_chunk()?;
        let (sealed, tag) = sealed.split_first_chunk::<ALERT_LEN>()?;
        let mut alert = *sealed;
        let opened = decrypt(&self.read, record.seq, *nonce, &mut alert, tag);
        if opened.is_err() {
            ffi::forget_errors();
        }
        opened.is_ok().then_some(alert)
    }

    /// The record that carries `alert`, under the next number.
    pub fn seal(&mut self, mut alert: [u8; ALERT_LEN]) -> Result<[u8; RECORD_LEN], ErrorStack> {
        self.written.seq += 1;
        self.written.nonce = self.written.nonce.wrapping_add(1);
        let Written { seq, nonce } = self.written;
        let nonce = nonce.to_be_bytes();
        let mut tag = [0; TAG_LEN];
        encrypt(&self.write, seq, nonce, &mut alert, &mut tag)?;
        let mut record = [0; RECORD_LEN];
        let parts: [&[u8]; 7] = [
            &[ALERT],
            &VERSION,
            &number(seq),
            &(BODY_LEN as u16).to_be_bytes(),
            &nonce,
            &alert,
            &tag,
        ];
        let octets = parts.into_iter().flatten();
        for (place, octet) in record.iter_mut().zip(octets) {
            *place = *octet;
        }
        Ok(record)
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// Epoch and number, as in a record's header.
fn number(seq: u64) -> [u8; 8] {
    (u64::from(EPOCH) << 48 | seq).to_be_bytes()
}

/// What the tag covers besides the alert: epoch, number, content type, version, length of the alert (RFC 5246 6.2.3.3).
fn associated(seq: u64) -> [u8; 13] {
    let mut data = [0; 13];
    data[..8].copy_from_slice(&number(seq));
    data[8] = ALERT;
    data[9..11].copy_from_slice(&VERSION);
    data[11..].copy_from_slice(&(ALERT_LEN as u16).to_be_bytes());
    data
}

fn whole_nonce(salt: [u8; SALT_LEN], explicit: [u8; NONCE_LEN]) -> [u8; SALT_LEN + NONCE_LEN] {
    let mut nonce = [0; SALT_LEN + NONCE_LEN];
    nonce[..SALT_LEN].copy_from_slice(&salt);
    nonce[SALT_LEN..].copy_from_slice(&explicit);
    nonce
}

fn encrypt(
    key: &RecordKey,
    seq: u64,
    explicit: [u8; NONCE_LEN],
    alert: &mut [u8; ALERT_LEN],
    tag: &mut [u8; TAG_LEN],
) -> Result<(), ErrorStack> {
    let mut ctx = CipherCtx::new()?;
    let nonce = whole_nonce(key.salt, explicit);
    ctx.encrypt_init(Some(key.suite.cipher()), Some(key.key()), Some(&nonce))?;
    ctx.cipher_update(&associated(seq), None)?;
    ctx.cipher_update_inplace(alert, ALERT_LEN)?;
    ctx.cipher_final(&mut [])?;
    ctx.tag(tag)
}

fn decrypt(
    key: &RecordKey,
    seq: u64,
    explicit: [u8; NONCE_LEN],
    alert: &mut [u8; ALERT_LEN],
    tag: &[u8],
) -> Result<(), ErrorStack> {
    let mut ctx = CipherCtx::new()?;
    let nonce = whole_nonce(key.salt, explicit);
    ctx.decrypt_init(Some(key.suite.cipher()), Some(key.key()), Some(&nonce))?;
    ctx.cipher_update(&associated(seq), None)?;
    ctx.cipher_update_inplace(alert, ALERT_LEN)?;
    ctx.set_tag(tag)?;
    ctx.cipher_final(&mut []).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::keys::Suite;

    /// Two ends of one connection.
    fn ends(suite: Suite) -> (Alerts, Alerts) {
        let key =
            |fill: u8| RecordKey::new(suite, &vec![fill; suite.key_len()], [fill; 4]).unwrap();
        let written = Written {
            seq: 0,
            nonce: u64::MAX,
        };
        (
            Alerts::new(key(1), key(2), written),
            Alerts::new(key(2), key(1), written),
        )
    }

    #[test]
    fn goodbye_is_heard_with_either_suite() {
        for suite in [Suite::Aes128Gcm, Suite::Aes256Gcm] {
            let (mut one, mut other) = ends(suite);
            one.say_goodbye();
            let farewell = one.take().unwrap();
            assert_eq!(one.take(), None, "once");
            assert_eq!(other.receive(&farewell), Ok(Heard::Goodbye));
        }
    }

    #[test]
    fn fatal_alerts_end_it_and_warnings_do_not() {
        let (mut one, mut other) = ends(Suite::Aes128Gcm);
        let mut heard = |alert| other.receive(&one.seal(alert).unwrap());
        assert_eq!(heard([WARNING, 90]), Ok(Heard::Nothing), "user_canceled");
        assert_eq!(
            heard([WARNING, 100]),
            Ok(Heard::Nothing),
            "no_renegotiation"
        );
        assert_eq!(heard([7, 7]), Ok(Heard::Nothing));
        assert_eq!(
            heard([FATAL, 80]),
            Err(DtlsError::Alert("internal error".into()))
        );
        assert_eq!(heard([FATAL, CLOSE_NOTIFY]), Ok(Heard::Goodbye));
    }

    #[test]
    fn numbers_and_nonces_go_on_and_never_come_again() {
        let (mut one, _) = ends(Suite::Aes128Gcm);
        let records = [one.seal([1, 0]).unwrap(), one.seal([1, 0]).unwrap()];
        let written = records.map(|record| Written::last_of(&record).unwrap());
        assert_eq!(written[0], Written { seq: 1, nonce: 0 });
        assert_eq!(written[1], Written { seq: 2, nonce: 1 });
        assert_ne!(records[0][21..], records[1][21..]);
    }

    #[test]
    fn an_alert_with_any_bit_changed_is_nobodys() {
        let (mut one, mut other) = ends(Suite::Aes256Gcm);
        let farewell = one.seal([WARNING, CLOSE_NOTIFY]).unwrap();
        for bit in 0..8 * RECORD_LEN {
            let mut forged = farewell;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(other.receive(&forged), Ok(Heard::Nothing), "bit {bit}");
        }
        for cut in 0..RECORD_LEN {
            assert_eq!(other.receive(&farewell[..cut]), Ok(Heard::Nothing));
        }
        assert_eq!(other.receive(&farewell), Ok(Heard::Goodbye));
    }

    #[test]
    fn an_alert_is_found_among_other_records() {
        let (mut one, mut other) = ends(Suite::Aes128Gcm);
        let mut datagram = vec![22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 40];
        datagram.extend([5; 40]);
        datagram.extend(one.seal([WARNING, CLOSE_NOTIFY]).unwrap());
        assert_eq!(other.receive(&datagram), Ok(Heard::Goodbye));
    }

    #[test]
    fn our_own_alert_sent_back_is_not_the_peers() {
        let (mut one, _) = ends(Suite::Aes128Gcm);
        let farewell = one.seal([WARNING, CLOSE_NOTIFY]).unwrap();
        assert_eq!(one.receive(&farewell), Ok(Heard::Nothing));
    }
}
