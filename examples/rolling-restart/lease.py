"""Where this process stands with the lease that `migrate agent` holds for it.

    import lease
    lease.state()    # "valid", "draining" or "lost"

The agent's option --status-socket makes a socket and puts its path into PHASEGATE_STATUS_SOCKET. Each process that asks (a
worker of gunicorn, say) listens to it in a thread of its own. Nothing but the standard library is needed.
"""

import json
import os
import socket
import threading

_told = {"state": "lost"}
_first = threading.Event()
_listens_in = None
_lock = threading.Lock()


def _begin_again():
    """Neither threads nor what they know come along where a process forks, as gunicorn --preload does."""
    global _told, _first, _listens_in, _lock
    _told, _first, _listens_in, _lock = {"state": "lost"}, threading.Event(), None, threading.Lock()


os.register_at_fork(after_in_child=_begin_again)


def state():
    """In one word. Without an agent nobody knows of a lease, and nothing is to be lost: "valid"."""
    return told()["state"]


def told():
    """All that the agent has said last: with "reason" and "help" after a loss."""
    path = os.environ.get("PHASEGATE_STATUS_SOCKET")
    if not path:
        return {"state": "valid"}
    _listen(path)
    # The agent answers at once; this is for the first who asks.
    _first.wait(timeout=2)
    return _told


def _listen(path):
    global _listens_in
    with _lock:
        if _listens_in != os.getpid():
            _listens_in = os.getpid()
            threading.Thread(target=_hear, args=[path], name="lease", daemon=True).start()


def _hear(path):
    global _told
    reason = "the agent is gone"
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.connect(path)
            for line in agent.makefile(encoding="utf-8"):
                _told = json.loads(line)
                _first.set()
    except (OSError, ValueError) as error:
        # A line without its end, of an agent that was killed, is none.
        reason = f"the agent cannot be asked: {error}"
    # Nobody keeps the lease any more.
    if _told["state"] != "lost" or not _first.is_set():
        _told = {"state": "lost", "reason": reason}
    _first.set()
