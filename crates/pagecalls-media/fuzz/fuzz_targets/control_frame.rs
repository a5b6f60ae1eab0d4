//! Control frames: anything is a command or an error, and a command survives being written and read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pagecalls_media::protocol::decode_command;

fuzz_target!(|frame: &[u8]| {
    let Ok((id, command)) = decode_command(frame) else {
        return;
    };
    let mut value = serde_json::to_value(&command).expect("commands serialise");
    value["id"] = id.into();
    assert_eq!(
        decode_command(value.to_string().as_bytes()),
        Ok((id, command))
    );
});
