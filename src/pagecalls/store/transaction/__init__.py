"""The store's port on one SQLite connection: which named query each method runs, and how its rows read.

One module for each area of the port; `writer.py` frames the units of work.
"""

from __future__ import annotations

from pagecalls.store.transaction.accounts import SqliteAccounts
from pagecalls.store.transaction.calls import SqliteCalls
from pagecalls.store.transaction.consumers import SqliteConsumers
from pagecalls.store.transaction.deliveries import SqliteDeliveries
from pagecalls.store.transaction.messages import SqliteMessages
from pagecalls.store.transaction.metrics import SqliteMetrics
from pagecalls.store.transaction.oauth import SqliteOAuth
from pagecalls.store.transaction.outbox import SqliteOutbox
from pagecalls.store.transaction.settings import SqliteSettings
from pagecalls.store.transaction.upkeep import SqliteUpkeep


class SqliteTransaction(
    SqliteAccounts,
    SqliteOAuth,
    SqliteConsumers,
    SqliteSettings,
    SqliteMessages,
    SqliteMetrics,
    SqliteCalls,
    SqliteOutbox,
    SqliteDeliveries,
    SqliteUpkeep,
):
    """Implements `base.Transaction`. Used on the connection's own thread only."""
