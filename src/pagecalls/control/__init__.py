"""The operator's side, under `/_pagecalls/`: health, metrics, clock, apps, permissions, journal, calls (`app.py`)."""
