//! Encryption of single AES blocks.

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

/// Octets of an AES block.
pub const BLOCK: usize = 16;

/// AES-128 under one key, block by block.
pub struct BlockCipher(CipherCtx);

impl BlockCipher {
    /// Under a key of 16 octets.
    ///
    /// # Panics
    /// When the key is shorter.
    pub fn new(key: &[u8]) -> Result<Self, ErrorStack> {
        let mut ctx = CipherCtx::new()?;
        ctx.encrypt_init(Some(Cipher::aes_128_ecb()), Some(key), None)?;
        ctx.set_padding(false);
        Ok(Self(ctx))
    }

    /// Encrypts each block by itself into the one of `out` at its place. The blocks of a key stream, not of a text.
    ///
    /// # Panics
    /// When `out` has not one block more than `blocks`; the last is the room that the safe call wants, and is not written.
    pub fn encrypt(
        &mut self,
        blocks: &[[u8; BLOCK]],
        out: &mut [[u8; BLOCK]],
    ) -> Result<(), ErrorStack> {
        self.0
            .cipher_update(blocks.as_flattened(), Some(out.as_flattened_mut()))
            .map(drop)
    }
}
