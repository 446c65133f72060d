"""Saves the state shortly after every write.

Stock: with PERSIST_STATE=1 the state is saved when the emulator is asked to
       end, so killing it loses everything.
Needed: the proof that a crash between two runs of Terraform loses nothing.

Saving blocks the emulator for as long as it takes, so the pause before a save
grows with it: at most a tenth of the time goes into saving. Where tasks run it
is not done: their traffic would wait for it.
"""

import asyncio
import time

from ministack import app

from layer import containers
from layer.wrapping import wrap

SHORTEST_PAUSE = 0.2
PAUSE_PER_SECOND_OF_SAVING = 10
READING_METHODS = ("GET", "HEAD", "OPTIONS")


class Saver:
    """Saves once after a burst of writes."""

    def __init__(self):
        self._timer = None
        self._pause = SHORTEST_PAUSE

    def request(self):
        """Asks for a save; requests before it happens are served by the same one."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._pause, self._save)

    def _save(self):
        self._timer = None
        started = time.monotonic()
        app.save_all(app._build_persistence_save_dict())
        taken = time.monotonic() - started
        self._pause = max(SHORTEST_PAUSE, PAUSE_PER_SECOND_OF_SAVING * taken)


_saver = Saver()


@wrap(app, "_dispatch_service_request")
async def dispatch(stock, method, path, headers, body, query_params, request_id):
    try:
        return await stock(method, path, headers, body, query_params, request_id)
    finally:
        # Of the protocols that POST everything, reads are not told from
        # writes: some reads write (KMS creates managed keys on first use).
        if app.PERSIST_STATE and not containers.RUNNING and method not in READING_METHODS:
            _saver.request()
