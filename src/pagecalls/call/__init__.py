"""The life of one call, as pure functions over one value.

Read `states`, `model`, `events` and `effects` for the words, then `transitions` for the whole story in one table. `machine` is
the door. Behind the table, `requests`, `devices` and `facts` decide, and `moves` is the only place where the state changes.
"""
