"""Who wins among flag, environment, file and default, and what is refused, with the place where it stands."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagecalls.config.keys import KEYS
from pagecalls.config.load import data_dir, load
from pagecalls.logs import LogFormat
from pagecalls.settings import Mode, Settings, SettingsError, default_data_dir, default_workers

SECRET = "a-secret-that-is-long-enough"


def a_file(folder: Path, content: str, mode: int = 0o600) -> Path:
    file = folder / "pagecalls.toml"
    file.write_text(content)
    file.chmod(mode)
    return file


def refusal(folder: Path, content: str, mode: int = 0o600) -> str:
    with pytest.raises(SettingsError) as raised:
        load({}, {}, a_file(folder, content, mode))
    return str(raised.value)


# --- the table --------------------------------------------------------------------------------------------------------------


def test_names_are_unique_and_every_member_is_there() -> None:
    assert len({key.name for key in KEYS}) == len({key.setting for key in KEYS}) == len(KEYS)
    assert {key.setting for key in KEYS} == set(Settings.__slots__)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_what_a_key_reads_has_the_type_of_its_member(key: object) -> None:
    """Each default, written and read again, is itself; so is each example."""
    import tomllib

    from pagecalls.config.keys import Key
    from pagecalls.config.kinds import written

    assert isinstance(key, Key)
    if key.default is not None or key.kind.metavar.endswith("|off"):
        value = tomllib.loads(f"x = {written(key.default)}")["x"]
        if key.default is not None or not key.derived:
            assert key.kind.read(value) == key.default
    if key.example:
        key.kind.read(tomllib.loads(f"x = {key.example}")["x"])
    assert key.text.endswith(".")


# --- who wins ---------------------------------------------------------------------------------------------------------------


def test_nothing_given_is_development_mode_on_loopback() -> None:
    settings = load({}, {}).settings
    assert settings == Settings(workers=default_workers(), data_dir=default_data_dir().resolve(), media_tcp_port=40_000)


def test_a_flag_beats_the_environment_and_that_the_file(tmp_path: Path) -> None:
    file = a_file(tmp_path, "port = 1\nudp_port = 1\nworkers = 1\n")
    environ = {"PAGECALLS_PORT": "2", "PAGECALLS_UDP_PORT": "2", "PAGECALLS_CONFIG": str(file)}
    found = load({"port": 3}, environ)
    assert (found.settings.port, found.settings.udp_port, found.settings.workers) == (3, 2, 1)
    by_name = {key.name: found.source(key) for key in KEYS}
    assert (by_name["port"], by_name["udp_port"], by_name["workers"], by_name["host"]) == (
        "--port",
        "PAGECALLS_UDP_PORT",
        "pagecalls.toml",
        "default",
    )


def test_a_named_file_beats_that_of_the_environment(tmp_path: Path) -> None:
    assert load({}, {"PAGECALLS_CONFIG": "/nowhere"}, a_file(tmp_path, "port = 1")).settings.port == 1


def test_every_kind_of_value_arrives(tmp_path: Path) -> None:
    content = """
        mode = "production"
        data_dir = "data"
        allow_host = ["b.example", "a.example"]
        public_ip = ["203.0.113.7"]
        strict_reach = true
        page_calls_per_s = "off"
        drain_s = 1.5
        log_format = "json"
    """
    settings = load({}, {}, a_file(tmp_path, content)).settings
    assert settings.mode is Mode.PRODUCTION
    assert settings.data_dir == tmp_path / "data"
    assert settings.allowed_hosts == {"a.example", "b.example"}
    assert settings.public_ips == ("203.0.113.7",)
    assert settings.strict_reach
    assert settings.page_calls_per_s is None
    assert settings.drain_s == 1.5
    assert settings.log_format is LogFormat.JSON


def test_an_empty_variable_counts_as_not_given() -> None:
    assert load({}, {"PAGECALLS_PORT": ""}).settings.port == Settings().port


def test_media_over_tcp_has_the_number_of_the_udp_port_unless_told_otherwise() -> None:
    for text, port in ((None, 7), ("off", None), ("0", 0), ("3478", 3478)):
        environ = {} if text is None else {"PAGECALLS_MEDIA_TCP_PORT": text}
        assert load({"udp_port": 7}, environ).settings.media_tcp_port == port
    assert load({"udp_port": 0}, {}).settings.media_tcp_port == 0


def test_the_data_directory_alone(tmp_path: Path) -> None:
    assert data_dir(tmp_path, {}) == tmp_path
    assert data_dir(None, {"PAGECALLS_DATA_DIR": str(tmp_path)}) == tmp_path


# --- what is refused --------------------------------------------------------------------------------------------------------


def test_all_faults_are_told_with_their_places(tmp_path: Path) -> None:
    file = a_file(tmp_path, "udp_prot = 1\nworkers = 900\n[server]\nport = 1\n")
    with pytest.raises(SettingsError) as raised:
        load({}, {"PAGECALLS_PORT": "tcp://10.0.0.1:80"}, file)
    assert str(raised.value).splitlines() == [
        f"{file}: udp_prot is no key; did you mean udp_port?",
        f"{file}: workers: 900 does not fit; it must be a whole number from 1 to 64",
        f"{file}: server is a section; all keys stand at the top level, without one",
        "PAGECALLS_PORT: 'tcp://10.0.0.1:80' does not fit; it must be a port up to 65535, or 0 for any free one",
    ]


def test_what_is_no_file_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read \(No such file"):
        load({}, {}, tmp_path / "none.toml")
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory"):
        load({}, {}, tmp_path)
    assert "is not TOML" in refusal(tmp_path, "port = ")
    assert "line 2" in refusal(tmp_path, "port = 1\nhost\n")


def test_settings_that_do_not_fit_together(tmp_path: Path) -> None:
    assert "tls_cert and tls_key are needed together" in refusal(tmp_path, 'tls_cert = "a.pem"')


def test_variables_that_are_no_settings_are_mentioned_only() -> None:
    warnings = load({}, {"PAGECALLS_PROT": "1", "PAGECALLS_LOAD_BIN": "x", "OTHER": "1"}).warnings
    assert warnings == ("PAGECALLS_PROT in the environment is no setting; did you mean PAGECALLS_PORT?",)


# --- secrets ----------------------------------------------------------------------------------------------------------------


def test_a_secret_comes_from_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET + "\n")
    assert load({}, {}, a_file(tmp_path, 'consumer_key_file = "key"', 0o644)).settings.consumer_key == SECRET
    assert load({}, {"PAGECALLS_CONSUMER_KEY_FILE": str(tmp_path / "key")}).settings.consumer_key == SECRET
    assert load({}, {"PAGECALLS_CONSUMER_KEY": SECRET}).settings.consumer_key == SECRET


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    content = f'consumer_key = "{SECRET}"'
    assert "chmod o=" in refusal(tmp_path, content, 0o644)
    assert load({}, {}, a_file(tmp_path, content, 0o640)).settings.consumer_key == SECRET


def test_a_secret_is_given_once_and_never_told(tmp_path: Path) -> None:
    both = refusal(tmp_path, f'consumer_key = "{SECRET}"\nconsumer_key_file = "key"')
    assert "both given" in both
    wrong = refusal(tmp_path, f'consumer_key = ["{SECRET}"]')
    assert wrong.endswith("consumer_key: it must be a text")
    assert SECRET not in both + wrong
    assert SECRET not in repr(load({}, {"PAGECALLS_CONSUMER_KEY": SECRET}).settings)


def test_a_file_with_a_secret_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    for name, says in (("none", "No such file"), ("binary", "is not text"), ("large", "too large")):
        assert says in refusal(tmp_path, f'consumer_key_file = "{name}"')
    (tmp_path / "empty").write_text("\n")
    assert refusal(tmp_path, 'consumer_key_file = "empty"').endswith("it must be a text")


# --- anything at all --------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@given(st.dictionaries(st.sampled_from([key.name for key in KEYS]), st.text(max_size=20)))
def test_whatever_the_environment_holds_is_taken_or_refused(values: dict[str, str]) -> None:
    with contextlib.suppress(SettingsError):
        load({}, {f"PAGECALLS_{name.upper()}": text for name, text in values.items() if "\0" not in text})


@given(st.sampled_from(KEYS), VALUES)
def test_whatever_a_file_holds_is_taken_or_refused(key: object, value: object) -> None:
    from pagecalls.config.keys import Key
    from pagecalls.config.kinds import Unfit

    assert isinstance(key, Key)
    with contextlib.suppress(Unfit):
        key.kind.read(value)
