"""`python -m pagecalls.cli`."""

from pagecalls.cli import main

main()
