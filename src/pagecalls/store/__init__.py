"""What is kept: the port in `base`, and its one implementation on SQLite in `sqlite`."""
