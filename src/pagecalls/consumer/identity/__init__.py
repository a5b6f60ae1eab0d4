"""Consumers whom the operator's own identity system vouches for, with a JWT (RFC 7519; consumer-protocol, Identity).

`keys.py` reads keys, `claims.py` judges a token with a key, `sources.py` finds the key, `devices.py` makes a device of the token.
"""
