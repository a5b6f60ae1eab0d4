//! RTP headers: every slice lies in the packet, and what was read can be written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pagecalls_media::rtp::{Fields, Header, padding_fits, write_header};

fuzz_target!(|packet: &[u8]| {
    let Some(header) = Header::parse(packet) else {
        return;
    };
    let _ = padding_fits(&packet[header.len..]);
    let fields = Fields {
        pt: header.pt,
        marker: header.marker,
        padding: header.padding,
        seq: header.seq,
        ts: header.ts,
        ssrc: header.ssrc,
    };
    let mut buffer = vec![0; 2 * packet.len() + 32];
    let len = write_header(&mut buffer, &fields, header.extensions(packet))
        .expect("the buffer is large enough");
    let again = Header::parse(&buffer[..len]).expect("what we write is a header");
    assert_eq!(
        (again.pt, again.seq, again.ts, again.ssrc, again.len),
        (header.pt, header.seq, header.ts, header.ssrc, len)
    );
    assert!(
        header
            .extensions(packet)
            .eq(again.extensions(&buffer[..len]))
    );
});
