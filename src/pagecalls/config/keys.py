"""The keys of the configuration: the one table behind flags, environment, file, help and docs/configuration.md.

A new key is one row here and one member of `Settings`, whose default is the key's. Of a row `udp_port` follow: the flag
`--udp-port`, the variable `PAGECALLS_UDP_PORT` and the line `udp_port = ...` of a file. A secret has no flag, because others can
read command lines; it has a second key instead, `..._file`, for a file that holds it.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from enum import Enum

from pagecalls.config.kinds import (
    Kind,
    address,
    host_name,
    http_url,
    many,
    member,
    network,
    path,
    seconds,
    switch,
    text,
    whole,
)
from pagecalls.logs import LogFormat, LogLevel
from pagecalls.settings import MAX_WORKERS, CallingDefault, Mode, OnStop, Settings

PREFIX = "PAGECALLS_"
FILE_SUFFIX = "_file"

PORT = whole(0, 65_535, "a port up to 65535, or 0 for any free one", "PORT")
PORT_OR_OFF = whole(0, 65_535, "a port up to 65535, 0 for any free one", "PORT", may_be_off=True)
LIMIT = whole(1, may_be_off=True)


class Section(Enum):
    """What a key is about; the headings of help and page, in order."""

    GENERAL = "General"
    HTTP = "HTTP and TLS"
    MEDIA = "Media"
    CONSUMERS = "Consumers"
    WEBHOOKS = "Webhooks"
    GRAPH = "Graph API"
    STORAGE = "Storage"
    STOP = "Stop and restart"
    LOG = "Log"
    DEVELOPMENT = "Development mode"


@dataclass(frozen=True, slots=True)
class Key:
    """One row. `text` explains it in whole sentences, the first one short. `member`: its name in `Settings`, if it is another;
    `derived`: in words, a default that is made of other things; `example`: a value for the example, as TOML."""

    section: Section
    name: str
    kind: Kind
    text: str
    example: str = ""
    member: str = ""
    derived: str = ""
    is_secret: bool = False

    @property
    def setting(self) -> str:
        """The member of `Settings`."""
        return self.member or self.name

    @property
    def flag(self) -> str:
        """Its flag; a secret has none."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its variable in the environment."""
        return PREFIX + self.name.upper()

    @property
    def default(self) -> object:
        """What `Settings` has where nobody chose; not for a `derived` one."""
        (found,) = [each for each in fields(Settings) if each.name == self.setting]
        return None if found.default is MISSING else found.default


KEYS = (
    Key(
        Section.GENERAL,
        "mode",
        member(Mode),
        "For whom the server is there. Development brings an app, a Page and a consumer and lets anybody be a consumer;"
        " production has only what you make.",
    ),
    Key(
        Section.GENERAL,
        "data_dir",
        path(),
        "Where calls, accounts and keys live. One server at a time may use it.",
        '"/var/lib/pagecalls"',
        derived="~/.local/share/pagecalls",
    ),
    Key(
        Section.GENERAL,
        "admin_token",
        text(),
        "The operator's token, for /_pagecalls/ and /metrics. If none is given, one is made at the first start; it "
        "stands in operator.json in the data directory.",
        is_secret=True,
        derived="made at the first start",
    ),
    Key(
        Section.HTTP,
        "host",
        address(),
        "Address to listen on, for HTTP and media. 0.0.0.0 is all of IPv4, :: is all of both.",
        '"0.0.0.0"',
    ),
    Key(Section.HTTP, "port", PORT, "Port of HTTP and WebSocket, or with a certificate of HTTPS.", "443"),
    Key(
        Section.HTTP,
        "allow_host",
        many(host_name(), frozenset),
        "Further names of this host. Consumers, operators and /docs/ are refused under any other name; the Graph API is not.",
        '["calls.example.com"]',
        member="allowed_hosts",
    ),
    Key(
        Section.HTTP,
        "tls_cert",
        path(),
        "Certificate with its chain, PEM; HTTP becomes HTTPS. Read again on SIGHUP.",
        '"/etc/pagecalls/tls/fullchain.pem"',
    ),
    Key(
        Section.HTTP,
        "tls_key",
        path(),
        "The certificate's private key, PEM, without a passphrase.",
        '"/etc/pagecalls/tls/privkey.pem"',
    ),
    Key(
        Section.HTTP,
        "hsts",
        switch(),
        "Tell browsers to use HTTPS only, for half a year (Strict-Transport-Security). Only with a certificate.",
    ),
    Key(Section.HTTP, "max_connections", whole(1), "HTTP and WebSocket connections in all. Each needs a descriptor."),
    Key(
        Section.HTTP,
        "max_connections_per_peer",
        LIMIT,
        "Connections of one peer: an IPv4 address, or a /64 of IPv6. Peers on this machine have no limit of their own.",
    ),
    Key(Section.HTTP, "head_timeout_s", seconds(0.1), "How long the head of a request may take to arrive, and a TLS handshake."),
    Key(Section.HTTP, "body_timeout_s", seconds(0.1), "How long the body of a request may take to arrive, 1 MiB at most."),
    Key(Section.HTTP, "idle_timeout_s", seconds(0.1), "How long a connection is kept open between two requests."),
    Key(Section.HTTP, "stall_timeout_s", seconds(0.1), "How long a client may leave unread what waits for it."),
    Key(Section.MEDIA, "udp_port", PORT, "Media port of the first worker; the next workers have the next ones.", "40000"),
    Key(
        Section.MEDIA,
        "media_tcp_port",
        PORT_OR_OFF,
        "Media over TCP, for networks without UDP.",
        "40000",
        derived="the number of udp_port",
    ),
    Key(
        Section.MEDIA,
        "public_ip",
        many(address()),
        "Address to tell peers for media, where it is not the address of an interface: behind NAT.",
        '["203.0.113.7"]',
        member="public_ips",
    ),
    Key(
        Section.MEDIA,
        "workers",
        whole(1, MAX_WORKERS),
        "Threads that carry media, each with a UDP port.",
        "3",
        derived="all cores but one",
    ),
    Key(Section.MEDIA, "max_calls", whole(1), "Calls that may be up at the same time.", "500", derived="800 for each worker"),
    Key(
        Section.MEDIA,
        "media_bin",
        path(),
        "The media engine's program.",
        '"/usr/local/bin/pagecalls-media"',
        member="engine_binary",
        derived="beside this Python",
    ),
    Key(
        Section.CONSUMERS,
        "consumer_key",
        text(),
        "Whoever holds it may open consumers' sessions; give it to your own back end only. Without it anybody may in "
        "development, and nobody in production.",
        is_secret=True,
    ),
    Key(
        Section.CONSUMERS,
        "consumer_jwt_key",
        text(),
        "The key that checks consumers' tokens (JWT) of your own identity system: the secret of HS256, or a public key as PEM.",
        is_secret=True,
    ),
    Key(
        Section.CONSUMERS,
        "consumer_jwks",
        path(),
        "The same as a file with a set of public keys (JWKS). Read again when a token names an unknown key.",
        '"/etc/pagecalls/jwks.json"',
    ),
    Key(
        Section.CONSUMERS,
        "consumer_jwks_url",
        http_url(),
        "The same at an address, https but for this machine. Asked every hour, and when a token names an unknown key.",
        '"https://id.example.com/.well-known/jwks.json"',
    ),
    Key(Section.CONSUMERS, "consumer_jwt_issuer", text(), "The iss that such tokens must have.", '"https://id.example.com"'),
    Key(
        Section.CONSUMERS,
        "consumer_jwt_audience",
        text(),
        "The aud that such tokens must have. Without it a token that has one is refused.",
        '"calls.example.com"',
    ),
    Key(Section.CONSUMERS, "strict_reach", switch(), "Refuse to call a person without a connected device, instead of ringing."),
    Key(Section.CONSUMERS, "call_rate_per_consumer_24h", LIMIT, "Calls that a Page may start to one person in a day.", "10"),
    Key(
        Section.WEBHOOKS,
        "allow_webhook_to",
        many(network()),
        "Private networks that webhooks may reach; public addresses always may, loopback in development only.",
        '["10.20.0.0/16"]',
        member="webhook_networks",
    ),
    Key(Section.WEBHOOKS, "escape_slashes", switch(), "Write /, <, % and @ as escapes in webhooks, as an older platform did."),
    Key(Section.GRAPH, "app_calls_per_hour", LIMIT, "Graph requests of one app with its own or its users' tokens."),
    Key(Section.GRAPH, "page_calls_per_s", LIMIT, "Graph requests with one Page's token."),
    Key(Section.GRAPH, "swap_codes", switch(), "Give the calling errors 2018389 to 2018396 as error_subcode under code 100."),
    Key(
        Section.GRAPH,
        "calling_default",
        member(CallingDefault),
        "Whether a Page that set nothing takes calls. off: none before it sets audio_enabled, no video before video_enabled.",
    ),
    Key(
        Section.STORAGE,
        "retention_days",
        whole(1),
        "How many days ended calls are kept, two at least, and webhooks that are done with.",
        "30",
    ),
    Key(Section.STORAGE, "retention_rows", whole(1), "How many webhooks that are done with are kept at most.", "1000000"),
    Key(
        Section.STORAGE,
        "auto_migrate",
        switch(),
        "Bring an older database to this version's schema at the start. Without it the start is refused until "
        "`pagecalls db upgrade` has done it.",
        "false",
    ),
    Key(
        Section.STOP,
        "on_stop",
        member(OnStop),
        "What a stop does with live calls. end: they end, after drain_s. hand_over: the engine keeps them for "
        "engine_grace_s, and the next server takes them over.",
        '"hand_over"',
    ),
    Key(
        Section.STOP,
        "drain_s",
        seconds(),
        "How long a stop waits for live calls while new ones are refused; a second signal does not wait. Not used with "
        "hand_over.",
        "600",
    ),
    Key(Section.STOP, "engine_grace_s", whole(1, 3600), "How many seconds calls go on without a server."),
    Key(Section.LOG, "log_format", member(LogFormat), "How lines look: for people, or one JSON object a line.", '"json"'),
    Key(Section.LOG, "log_level", member(LogLevel), "What is logged: this and what is worse.", '"info"'),
    Key(
        Section.DEVELOPMENT,
        "webhook",
        http_url(),
        "Subscribe the development app to this address.",
        '"http://127.0.0.1:9000/webhook"',
    ),
    Key(
        Section.DEVELOPMENT,
        "expose_development",
        switch(),
        "Listen beyond loopback; anyone can then be a consumer.",
        member="is_exposed",
    ),
    Key(
        Section.DEVELOPMENT,
        "dev_seed",
        text(),
        "Makes the secrets of a new data directory the same each time, for tests.",
        is_secret=True,
    ),
)
