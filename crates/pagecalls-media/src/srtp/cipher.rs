//! One packet under one set of session keys: AES-GCM (RFC 7714) and AES-CM with HMAC-SHA1 (RFC 3711 4).
//!
//! It knows where header, payload, tag and index lie; which index a packet has, and whether it is new, is decided elsewhere.

use openssl::cipher::Cipher as Algorithm;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

use super::block::{BLOCK, BlockCipher};
use super::hmac::{HmacSha1, MAC_LEN};
use super::kdf::SessionKeys;
use super::{Profile, RTCP_HEADER_LEN, RTCP_INDEX_LEN, RTP_HEADER_LEN, check_len};
use crate::error::{Error, SrtpError};

/// Set in the index word of SRTCP when the packet is encrypted, not only authenticated.
pub const E_FLAG: u32 = 1 << 31;

const GCM_TAG: usize = 16;
const SHA1_80_TAG: usize = 10;

/// Which way a cipher turns packets; an OpenSSL context knows one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Protect,
    Unprotect,
}

/// A keyed cipher for RTP or RTCP, in one direction.
pub enum Cipher {
    Gcm(Gcm),
    Cm(Box<Cm>),
}

impl Cipher {
    pub fn new(profile: Profile, keys: &SessionKeys, direction: Direction) -> Result<Self, Error> {
        check_len("key", profile.key_len(), &keys.encryption)?;
        check_len("salt", profile.salt_len(), &keys.salt)?;
        check_len("auth", profile.auth_key_len(), &keys.authentication)?;
        Ok(match profile {
            Profile::AeadAes128Gcm => {
                Self::Gcm(Gcm::new(Algorithm::aes_128_gcm(), keys, direction)?)
            }
            Profile::AeadAes256Gcm => {
                Self::Gcm(Gcm::new(Algorithm::aes_256_gcm(), keys, direction)?)
            }
            Profile::Aes128CmSha1_80 => Self::Cm(Box::new(Cm::new(keys)?)),
        })
    }

    fn tag_len(&self) -> usize {
        match self {
            Self::Gcm(_) => GCM_TAG,
            Self::Cm(_) => SHA1_80_TAG,
        }
    }

    /// Encrypts `buffer[header_len..len]` and writes the tag behind it. Returns the new length.
    pub fn protect_rtp(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
        index: u64,
    ) -> Result<usize, SrtpError> {
        if header_len < RTP_HEADER_LEN || len < header_len {
            return Err(SrtpError::TooShort);
        }
        let end = len + self.tag_len();
        let packet = buffer.get_mut(..end).ok_or(SrtpError::NoRoom)?;
        let (plain, tag) = packet.split_at_mut(len);
        let (header, payload) = plain.split_at_mut(header_len);
        match self {
            Self::Gcm(gcm) => {
                gcm.seal(&gcm.rtp_iv(rtp_ssrc(header), index), header, payload, tag)?;
            }
            Self::Cm(cm) => {
                cm.apply_keystream(&cm.iv(rtp_ssrc(header), index), payload)?;
                let roc = ((index >> 16) as u32).to_be_bytes();
                tag.copy_from_slice(&cm.mac.of(&[plain, &roc])[..SHA1_80_TAG]);
            }
        }
        Ok(end)
    }

    /// Authenticates the packet as number `index` and decrypts it in place. Returns the length without the tag.
    pub fn unprotect_rtp(
        &mut self,
        packet: &mut [u8],
        header_len: usize,
        index: u64,
    ) -> Result<usize, SrtpError> {
        let len = packet
            .len()
            .checked_sub(self.tag_len())
            .ok_or(SrtpError::TooShort)?;
        if header_len < RTP_HEADER_LEN || len < header_len {
            return Err(SrtpError::TooShort);
        }
        let (body, tag) = packet.split_at_mut(len);
        match self {
            Self::Gcm(gcm) => {
                let (header, payload) = body.split_at_mut(header_len);
                gcm.open(
                    &gcm.rtp_iv(rtp_ssrc(header), index),
                    &[header],
                    payload,
                    tag,
                )?;
            }
            Self::Cm(cm) => {
                let roc = ((index >> 16) as u32).to_be_bytes();
                cm.verify(&[body, &roc], tag)?;
                let (header, payload) = body.split_at_mut(header_len);
                cm.apply_keystream(&cm.iv(rtp_ssrc(header), index), payload)?;
            }
        }
        Ok(len)
    }

    /// Encrypts a compound packet behind its first 8 octets and writes tag and index. Returns the new length.
    pub fn protect_rtcp(
        &mut self,
        buffer: &mut [u8],
        len: usize,
        index: u32,
    ) -> Result<usize, SrtpError> {
        if len < RTCP_HEADER_LEN {
            return Err(SrtpError::TooShort);
        }
        let end = len + self.tag_len() + RTCP_INDEX_LEN;
        let packet = buffer.get_mut(..end).ok_or(SrtpError::NoRoom)?;
        let word = (E_FLAG | index).to_be_bytes();
        match self {
            Self::Gcm(gcm) => {
                let (plain, trailer) = packet.split_at_mut(len);
                let (header, payload) = plain.split_at_mut(RTCP_HEADER_LEN);
                let (tag, index_word) = trailer.split_at_mut(GCM_TAG);
                let mut aad = [0; RTCP_HEADER_LEN + RTCP_INDEX_LEN];
                aad[..RTCP_HEADER_LEN].copy_from_slice(header);
                aad[RTCP_HEADER_LEN..].copy_from_slice(&word);
                gcm.seal(&gcm.rtcp_iv(rtcp_ssrc(header), index), &aad, payload, tag)?;
                index_word.copy_from_slice(&word);
            }
            Self::Cm(cm) => {
                let (header, payload) = packet[..len].split_at_mut(RTCP_HEADER_LEN);
                cm.apply_keystream(&cm.iv(rtcp_ssrc(header), u64::from(index)), payload)?;
                packet[len..len + RTCP_INDEX_LEN].copy_from_slice(&word);
                let (signed, tag) = packet.split_at_mut(len + RTCP_INDEX_LEN);
                tag.copy_from_slice(&cm.mac.of(&[signed])[..SHA1_80_TAG]);
            }
        }
        Ok(end)
    }

    /// The index word of an SRTCP packet, as yet unproven.
    pub fn rtcp_index_word(&self, packet: &[u8]) -> Result<u32, SrtpError> {
        if packet.len() < RTCP_HEADER_LEN + self.tag_len() + RTCP_INDEX_LEN {
            return Err(SrtpError::TooShort);
        }
        let at = match self {
            Self::Gcm(_) => packet.len() - RTCP_INDEX_LEN,
            Self::Cm(_) => packet.len() - SHA1_80_TAG - RTCP_INDEX_LEN,
        };
        Ok(be32(&packet[at..]))
    }

    /// Authenticates a packet with this index word and decrypts it in place. Returns the length without tag and index.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8], word: u32) -> Result<usize, SrtpError> {
        let overhead = self.tag_len() + RTCP_INDEX_LEN;
        let len = packet
            .len()
            .checked_sub(overhead)
            .ok_or(SrtpError::TooShort)?;
        if len < RTCP_HEADER_LEN {
            return Err(SrtpError::TooShort);
        }
        let encrypted = word & E_FLAG != 0;
        let index = word & !E_FLAG;
        match self {
            Self::Gcm(gcm) => {
                let (body, trailer) = packet.split_at_mut(len);
                // RFC 7714 9.3: what is not encrypted is associated data as a whole.
                let clear = if encrypted { RTCP_HEADER_LEN } else { len };
                let (header, payload) = body.split_at_mut(clear);
                let iv = gcm.rtcp_iv(rtcp_ssrc(header), index);
                gcm.open(
                    &iv,
                    &[header, &word.to_be_bytes()],
                    payload,
                    &trailer[..GCM_TAG],
                )?;
            }
            Self::Cm(cm) => {
                let (signed, tag) = packet.split_at_mut(len + RTCP_INDEX_LEN);
                cm.verify(&[signed], tag)?;
                if encrypted {
                    let (header, payload) = signed[..len].split_at_mut(RTCP_HEADER_LEN);
                    cm.apply_keystream(&cm.iv(rtcp_ssrc(header), u64::from(index)), payload)?;
                }
            }
        }
        Ok(len)
    }
}

/// AES-GCM with the nonce of RFC 7714.
pub struct Gcm {
    ctx: CipherCtx,
    salt: [u8; 12],
}

impl Gcm {
    fn new(
        algorithm: &openssl::cipher::CipherRef,
        keys: &SessionKeys,
        direction: Direction,
    ) -> Result<Self, Error> {
        let mut ctx = CipherCtx::new()?;
        match direction {
            Direction::Protect => {
                ctx.encrypt_init(Some(algorithm), Some(&keys.encryption), None)?;
            }
            Direction::Unprotect => {
                ctx.decrypt_init(Some(algorithm), Some(&keys.encryption), None)?;
            }
        }
        let mut salt = [0; 12];
        salt.copy_from_slice(&keys.salt);
        Ok(Self { ctx, salt })
    }

    /// 00 00 SSRC ROC SEQ, XOR the salt (RFC 7714 8.1).
    fn rtp_iv(&self, ssrc: u32, index: u64) -> [u8; 12] {
        self.iv(ssrc, index)
    }

    /// 00 00 SSRC 00 00 0-index, XOR the salt (RFC 7714 9.1).
    fn rtcp_iv(&self, ssrc: u32, index: u32) -> [u8; 12] {
        self.iv(ssrc, u64::from(index))
    }

    fn iv(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let mut iv = self.salt;
        xor(&mut iv[2..6], &ssrc.to_be_bytes());
        xor(&mut iv[6..12], &index.to_be_bytes()[2..]);
        iv
    }

    fn seal(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), SrtpError> {
        let ctx = &mut self.ctx;
        let mut run = || -> Result<(), ErrorStack> {
            ctx.encrypt_init(None, None, Some(iv))?;
            ctx.cipher_update(aad, None)?;
            if !data.is_empty() {
                let len = data.len();
                ctx.cipher_update_inplace(data, len)?;
            }
            ctx.cipher_final(&mut [])?;
            ctx.tag(tag)
        };
        run().map_err(|_| SrtpError::Crypto)
    }

    fn open(
        &mut self,
        iv: &[u8; 12],
        aad: &[&[u8]],
        data: &mut [u8],
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        let ctx = &mut self.ctx;
        let mut run = || -> Result<(), ErrorStack> {
            ctx.decrypt_init(None, None, Some(iv))?;
            for part in aad {
                ctx.cipher_update(part, None)?;
            }
            if !data.is_empty() {
                let len = data.len();
                ctx.cipher_update_inplace(data, len)?;
            }
            ctx.set_tag(tag)
        };
        run().map_err(|_| SrtpError::Crypto)?;
        self.ctx
            .cipher_final(&mut [])
            .map(|_| ())
            .map_err(|_| SrtpError::AuthenticationFailed)
    }
}

/// Counter blocks that are encrypted in one go; sound needs no more.
const BLOCKS: usize = 16;

/// AES counter mode with HMAC-SHA1.
///
/// The key stream is made block by block here, and OpenSSL only encrypts: to give its own counter mode a new start costs a multiple of that.
pub struct Cm {
    cipher: BlockCipher,
    salt: [u8; 14],
    mac: HmacSha1,
}

impl Cm {
    fn new(keys: &SessionKeys) -> Result<Self, Error> {
        let cipher = BlockCipher::new(&keys.encryption)?;
        let mut salt = [0; 14];
        salt.copy_from_slice(&keys.salt);
        let mac = HmacSha1::new(&keys.authentication);
        Ok(Self { cipher, salt, mac })
    }

    /// `(salt << 16) ^ (SSRC << 64) ^ (index << 16)` (RFC 3711 4.1.1).
    fn iv(&self, ssrc: u32, index: u64) -> [u8; BLOCK] {
        let mut iv = [0; BLOCK];
        iv[..14].copy_from_slice(&self.salt);
        xor(&mut iv[4..8], &ssrc.to_be_bytes());
        xor(&mut iv[8..14], &index.to_be_bytes()[2..]);
        iv
    }

    /// Block n of the key stream is the encryption of `iv + n`; the last 16 bits of `iv` are zero and count (RFC 3711 4.1.1).
    fn apply_keystream(&mut self, iv: &[u8; BLOCK], data: &mut [u8]) -> Result<(), SrtpError> {
        if data.len() > BLOCK << 16 {
            return Err(SrtpError::NoRoom);
        }
        let (mut counters, mut stream) = ([*iv; BLOCKS], [[0; BLOCK]; BLOCKS + 1]);
        let mut number = 0u16;
        for part in data.chunks_mut(BLOCKS * BLOCK) {
            let counters = &mut counters[..part.len().div_ceil(BLOCK)];
            for counter in &mut *counters {
                counter[BLOCK - 2..].copy_from_slice(&number.to_be_bytes());
                number = number.wrapping_add(1);
            }
            self.cipher
                .encrypt(counters, &mut stream)
                .map_err(|_| SrtpError::Crypto)?;
            xor(part, stream.as_flattened());
        }
        Ok(())
    }

    /// Compares in constant time.
    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), SrtpError> {
        let mac: [u8; MAC_LEN] = self.mac.of(parts);
        if openssl::memcmp::eq(&mac[..SHA1_80_TAG], tag) {
            Ok(())
        } else {
            Err(SrtpError::AuthenticationFailed)
        }
    }
}

/// The SSRC in an RTP header; the caller has seen that there are 12 octets.
pub fn rtp_ssrc(header: &[u8]) -> u32 {
    be32(&header[8..])
}

/// The sender's SSRC in an RTCP header; the caller has seen that there are 8 octets.
pub fn rtcp_ssrc(header: &[u8]) -> u32 {
    be32(&header[4..])
}

fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn xor(target: &mut [u8], with: &[u8]) {
    for (target, with) in target.iter_mut().zip(with) {
        *target ^= with;
    }
}
