"""Says which process answers: GET /_layer/pid.

Two emulators started at the same moment may both have found the same port
free. The one that comes second ends, and whoever started it must not take the
first one's answers for its own.
"""

import os

from ministack import app

from layer.wrapping import wrap

PATH = "/_layer/pid"


@wrap(app, "app")
async def answer(stock, scope, receive, send):
    if scope["type"] != "http" or scope["path"] != PATH:
        await stock(scope, receive, send)
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
