"""A request that an SDK sends again because its answer got lost.

Stock: as AWS, does again what it is asked again: a second CreateRole is refused
       although the first was the caller's own.
Needed: on a busy machine answers that come as fast as these do get lost in the
        AWS SDK for Go (see internal/sdk), which Terraform's provider and its
        backend use too. Each request of an SDK has an id that its repetitions
        share: a repetition gets the first one's answer.
"""

import asyncio
import collections

from ministack import app
from ministack.core.responses import StreamingResponse

from layer.wrapping import wrap

# As many as may be sent in the time in which an SDK tries again.
KEPT = 2048
READING_METHODS = ("GET", "HEAD", "OPTIONS")

_answers = collections.OrderedDict()


@wrap(app, "_dispatch_service_request")
async def dispatch(stock, method, path, headers, *rest):
    identity = headers.get("amz-sdk-invocation-id")
    if not identity or method in READING_METHODS:
        return await stock(method, path, headers, *rest)
    if identity in _answers:
        answer = await asyncio.shield(_answers[identity])
        if _is_final(answer):
            return answer
    # A task of its own: it goes on when whoever waits for it hangs up.
    _answers[identity] = asyncio.ensure_future(stock(method, path, headers, *rest))
    while len(_answers) > KEPT:
        _answers.popitem(last=False)
    return await asyncio.shield(_answers[identity])


def _is_final(answer):
    """Whether an answer is not one that asks to be tried again."""
    return answer[0] < 500 and answer[0] != 429 and not isinstance(answer[2], StreamingResponse)
