//! What the control plane says of tracks, in few words.

use pagecalls_media::protocol::{
    Codec, Extensions, Kind, Output, RecvTrack, Route, SendTrack, TrackRef,
};

pub const OPUS: &str = "opus/48000/2";
pub const WIDE_EVENT: &str = "telephone-event/48000";
pub const NARROW_EVENT: &str = "telephone-event/8000";

/// The extension ids that the peers of these tests negotiate, each its own.
pub const BUSINESS_EXT: Extensions = Extensions {
    mid: Some(4),
    level: Some(1),
    twcc: Some(3),
    ast: None,
    rot: None,
    ctype: None,
};
pub const CONSUMER_EXT: Extensions = Extensions {
    mid: Some(3),
    level: Some(7),
    twcc: None,
    ast: None,
    rot: None,
    ctype: None,
};

pub fn codec(key: &str, pt: u8) -> Codec {
    Codec {
        key: key.into(),
        pt,
        rtx_pt: None,
    }
}

pub fn recv(
    track: &str,
    mid: &str,
    ssrcs: &[u32],
    codecs: &[Codec],
    ext: &Extensions,
) -> RecvTrack {
    RecvTrack {
        track: track.into(),
        mid: mid.into(),
        kind: Kind::Audio,
        ssrcs: ssrcs.into(),
        rtx_ssrcs: vec![],
        codecs: codecs.into(),
        ext: ext.clone(),
        fb: vec![],
    }
}

pub fn send(track: &str, outputs: &[(u32, &str)], codecs: &[Codec], ext: &Extensions) -> SendTrack {
    SendTrack {
        track: track.into(),
        kind: Kind::Audio,
        cname: format!("cname-{track}"),
        codecs: codecs.into(),
        ext: ext.clone(),
        fb: vec![],
        outputs: outputs
            .iter()
            .map(|(ssrc, mid)| Output {
                ssrc: *ssrc,
                mid: (*mid).into(),
                rtx_ssrc: None,
            })
            .collect(),
    }
}

pub fn route(from: (&str, &str), to: (&str, &str), on: bool) -> Route {
    let end = |(leg, track): (&str, &str)| TrackRef {
        leg: leg.into(),
        track: track.into(),
    };
    Route {
        from: end(from),
        to: end(to),
        on,
    }
}
