"""Page Calls: a self-hosted server for Meta's Page Calls API that really carries the calls."""

__version__ = "0.1.0"
