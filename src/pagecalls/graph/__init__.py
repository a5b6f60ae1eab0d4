"""The business's side: Meta's Graph API for calls, as an ASGI app (`app.py`; the edges are listed in `routes.py`)."""
