"""Whose log lines nobody reads: clients that log every request and every repeat of one."""

import logging

_CLIENTS = ("httpx", "httpcore", "pyrate_limiter", "stamina")


def quiet_clients() -> None:
    """Let these clients log errors only; our own messages say the same once, without secrets."""
    for name in _CLIENTS:
        logging.getLogger(name).setLevel(logging.ERROR)
