//! An RTP packet in the clear.

use pagecalls_media::rtp::{Fields, Header, write_header};

/// An RTP packet as a peer sends or receives it, decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub pt: u8,
    pub marker: bool,
    pub padding: bool,
    pub seq: u16,
    pub ts: u32,
    pub ssrc: u32,
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub payload: Vec<u8>,
}

impl Packet {
    pub fn audio(pt: u8, ssrc: u32, seq: u16, ts: u32) -> Self {
        Self {
            pt,
            marker: false,
            padding: false,
            seq,
            ts,
            ssrc,
            extensions: vec![],
            payload: format!("sound {seq}").into_bytes(),
        }
    }

    pub fn with_extension(mut self, id: u8, value: &[u8]) -> Self {
        self.extensions.push((id, value.to_vec()));
        self
    }

    pub fn with_payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// The packet and how long its header is.
    pub fn bytes(&self) -> (Vec<u8>, usize) {
        let mut bytes = vec![0; 2_000];
        let fields = Fields {
            pt: self.pt,
            marker: self.marker,
            padding: self.padding,
            seq: self.seq,
            ts: self.ts,
            ssrc: self.ssrc,
        };
        let elements = self
            .extensions
            .iter()
            .map(|(id, value)| (*id, value.as_slice()));
        let header_len = write_header(&mut bytes, &fields, elements).unwrap();
        bytes.truncate(header_len);
        bytes.extend_from_slice(&self.payload);
        (bytes, header_len)
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let header = Header::parse(bytes).unwrap();
        Self {
            pt: header.pt,
            marker: header.marker,
            padding: header.padding,
            seq: header.seq,
            ts: header.ts,
            ssrc: header.ssrc,
            extensions: header
                .extensions(bytes)
                .map(|(id, value)| (id, value.to_vec()))
                .collect(),
            payload: bytes[header.len..].to_vec(),
        }
    }
}
