"""The configuration: one table of keys, from which flags, environment, file and their page follow."""
