"""The test kit that comes with the package: what users and this project's own tests put around a server.

It may import everything public of the package. Nothing of the product imports it, the demo included, so that it is free to
change with the needs of tests.
"""
