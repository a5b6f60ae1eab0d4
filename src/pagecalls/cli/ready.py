"""`pagecalls ready`: whether the server on this machine takes calls, as an exit status."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import click

from pagecalls import operator_file
from pagecalls.cli.flags import config_option, data_dir_option, find_data_dir, refused
from pagecalls.settings import SettingsError

TIMEOUT_S = 4.0


@click.command()
@config_option
@data_dir_option
@click.option("--health", is_flag=True, help="Ask only whether it answers; one that drains does.")
def ready(config_file: Path | None, data_dir: Path | None, health: bool) -> None:
    """Tell whether the server of a data directory takes calls. Exit status 0 if it does."""
    folder = find_data_dir(data_dir, config_file)
    try:
        status, said = ask(folder, "health" if health else "ready")
    except SettingsError as error:
        raise refused(error) from error
    except OSError as error:
        raise click.ClickException(f"no server answers ({_why(error)})") from error
    click.echo(said)
    if status != 200:
        raise SystemExit(1)


def ask(folder: Path, probe: str) -> tuple[int, str]:
    """Status and body of a probe. Raises `OSError` where nobody answers, `SettingsError` where there is nobody to ask."""
    found = operator_file.read(folder)
    if found is None:
        raise SettingsError(f"no server has been started on {folder} so far, or its {operator_file.OPERATOR_FILE} is not for you")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=found.trust()))
    try:
        with opener.open(f"{found.base_url}/_pagecalls/{probe}", timeout=TIMEOUT_S) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def _why(error: OSError) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason)
