"""A program that speaks just enough of the control protocol to be started, asked to go, or to misbehave.

Standard library only, as it runs in a process of its own. Its manner is read from the file `manner` in the data directory; while
there is a file `hangs`, it reads and says nothing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path


def argument(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def data_dir() -> Path:
    return Path(argument("--data-dir"))


def main() -> None:
    with (data_dir() / "arguments").open("a") as log:
        log.write(json.dumps(sys.argv[1:]) + "\n")
    manner = (data_dir() / "manner").read_text() if (data_dir() / "manner").exists() else ""
    sys.stderr.write("stub engine starts\n")
    sys.stderr.flush()
    if manner == "ends":
        sys.exit(3)
    if manner.startswith("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    path = Path(argument("--socket"))
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    while True:
        peer, _ = listener.accept()
        serve(peer, manner)


def serve(peer: socket.socket, manner: str) -> None:
    with peer, peer.makefile("rwb") as stream:
        while header := stream.read(4):
            command = json.loads(stream.read(struct.unpack(">I", header)[0]))
            if manner == "mute" or (data_dir() / "hangs").exists():
                continue
            reply = {"id": command["id"]} | answer(command, manner)
            body = json.dumps(reply).encode()
            stream.write(struct.pack(">I", len(body)) + body)
            stream.flush()
            if command["op"] == "exit" and not manner.startswith("stubborn"):
                sys.exit(0)


def answer(command: dict[str, object], manner: str) -> dict[str, object]:
    if command["op"] == "call.close":
        return {"ok": {"legs": []}}
    if command["op"] == "snapshot":
        return {"ok": {"seq": 0, "legs": [], "calls": ["c"] if manner.endswith("busy") else []}}
    if command["op"] != "hello":
        return {"ok": {}}
    if manner == "refuses" or command["data_dir"] != argument("--data-dir-id"):
        return {"err": {"code": "data_dir_mismatch", "message": "another one"}}
    port = int(argument("--udp-port")) or 40123
    candidates = [{"proto": "udp", "ip": "127.0.0.1", "port": port}]
    if (tcp_port := argument("--tcp-port")) != "off":
        candidates.append({"proto": "tcp", "ip": "127.0.0.1", "port": int(tcp_port) or 40124})
    return {
        "ok": {
            "proto": 3,
            "data_dir": command["data_dir"],
            "node": "stub",
            "pid": os.getpid(),
            "fingerprint": {"alg": "sha-256", "value": ":".join(["AB"] * 32)},
            "candidates": [candidates],
            "capacity": 1,
            "settings": argument("--settings") if "--settings" in sys.argv else "",
        }
    }


if __name__ == "__main__":
    main()
