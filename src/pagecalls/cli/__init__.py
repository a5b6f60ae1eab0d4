"""The `pagecalls` command. One module per subcommand; this file only lists them."""

from __future__ import annotations

import click

from pagecalls import __version__
from pagecalls.cli.app import app
from pagecalls.cli.config import config
from pagecalls.cli.consumer import consumer
from pagecalls.cli.demo import demo
from pagecalls.cli.page import page
from pagecalls.cli.ready import ready
from pagecalls.cli.serve import serve
from pagecalls.cli.token import token
from pagecalls.cli.user import user


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pagecalls")
def main() -> None:
    """A server for Meta's Page Calls API that really carries the calls."""


main.add_command(serve)
main.add_command(demo)
main.add_command(config)
for group in (app, page, user, token, consumer):
    main.add_command(group)
main.add_command(ready)
