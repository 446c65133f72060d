"""SQS: moving dead letters back.

Stock: StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask are
       refused.
AWS:   one move at a time takes what is in a dead-letter queue to another queue,
       or each message to the one it came from, at a rate if one is given. A
       message arrives as a new one, received by nobody yet.
Needed: `operate redrive`.

A move goes on whenever the service is asked for something, by as much as the
time since its start allows. That needs no thread, and nobody can see it.
"""

import json
import time

from ministack.core.responses import new_uuid
from ministack.services import sqs as service

from layer.wrapping import new_store, wrap

RUNNING, COMPLETED, CANCELLED, FAILED = "RUNNING", "COMPLETED", "CANCELLED", "FAILED"
MOVED, TO_MOVE = "ApproximateNumberOfMessagesMoved", "ApproximateNumberOfMessagesToMove"
NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
MAX_RATE = 500
KEPT = 10  # moves that are listed of a queue

# The moves of each dead-letter queue by its ARN, the latest first.
_moves = new_store(service, "moves")


# The operations --------------------------------------------------------------
#
# The service's own table wants functions of the request and the queue's URL,
# which no request of these has.


def start(request, _url):
    arn = request["SourceArn"]
    queue = _existing(arn)
    if not _sources(arn):
        raise _invalid("Source queue must be configured as a Dead Letter Queue.")
    if destination := request.get("DestinationArn"):
        _existing(destination)
    rate = request.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= rate <= MAX_RATE:
        raise _invalid(f"MaxNumberOfMessagesPerSecond must be between 1 and {MAX_RATE}.")
    moves = _moves.get(arn, [])
    if any(move["Status"] == RUNNING for move in moves):
        raise _invalid(
            "There is already a task running. Only one active task is allowed for a "
            "source queue arn at a given time."
        )
    service._refresh_counts(queue)
    move = {
        "TaskHandle": new_uuid(),
        "Status": RUNNING,
        "SourceArn": arn,
        "DestinationArn": destination,
        "MaxNumberOfMessagesPerSecond": rate,
        MOVED: 0,
        TO_MOVE: int(queue["attributes"]["ApproximateNumberOfMessages"]),
        "StartedTimestamp": int(time.time() * 1000),
    }
    _moves[arn] = [move, *moves][:KEPT]
    return {"TaskHandle": move["TaskHandle"]}


def list_moves(request, _url):
    _existing(request["SourceArn"])
    moves = _moves.get(request["SourceArn"], [])[: request.get("MaxResults", 1)]
    return {"Results": [_shown(move) for move in moves]}


def cancel(request, _url):
    for moves in _moves.values():
        for move in moves:
            if move["TaskHandle"] == request["TaskHandle"] and move["Status"] == RUNNING:
                _end(move, CANCELLED)
                return {MOVED: move[MOVED]}
    raise service._Err("ResourceNotFoundException", "Task does not exist.", 404)


service._HANDLERS.update(
    StartMessageMoveTask=start, ListMessageMoveTasks=list_moves, CancelMessageMoveTask=cancel
)


def _shown(move):
    """Members without a value are left out, and only a running move has a handle."""
    hidden = () if move["Status"] == RUNNING else ("TaskHandle",)
    return {name: value for name, value in move.items() if value is not None and name not in hidden}


# The moving ------------------------------------------------------------------


@wrap(service, "_dispatch")
async def dispatch(stock, action, data, url):
    for moves in _moves.values():
        for move in moves:
            if move["Status"] == RUNNING:
                _go_on(move)
    return await stock(action, data, url)


def _go_on(move):
    source = service._queue_by_arn(move["SourceArn"])
    if source is None:
        return _end(move, FAILED, FailureReason=NO_QUEUE)
    while move[MOVED] < _due(move):
        message = next((m for m in source["messages"] if m["visible_at"] <= time.time()), None)
        if message is None:  # somebody has received the rest
            return _end(move, COMPLETED)
        arn = move["DestinationArn"] or message["sys"].get("DeadLetterQueueSourceArn")
        if arn is None:
            return _end(move, FAILED, FailureReason="CouldNotDetermineMessageSource")
        destination = service._queue_by_arn(arn)
        if destination is None:
            return _end(move, FAILED, FailureReason=NO_QUEUE)
        source["messages"].remove(message)
        destination["messages"].append(_anew(message, destination))
        move[MOVED] += 1
    if move[MOVED] == move[TO_MOVE]:
        _end(move, COMPLETED)


def _due(move):
    """How many messages the rate allows by now."""
    rate = move["MaxNumberOfMessagesPerSecond"] or MAX_RATE
    seconds = time.time() - move["StartedTimestamp"] / 1000
    return min(int(rate * seconds) + 1, move[TO_MOVE])


def _end(move, status, **more):
    move.update(Status=status, **more)


def _anew(message, queue):
    """The message as one that was just sent to the queue."""
    now = time.time()
    new = {
        **message,
        "id": new_uuid(),
        "receipt_handle": None,
        "sent_at": now,
        "enqueued_at": now,
        "visible_at": now,
        "receive_count": 0,
        "first_receive_at": None,
        "sys": {**message["sys"], "SentTimestamp": str(int(now * 1000))},
    }
    new["sys"].pop("DeadLetterQueueSourceArn", None)
    if queue["is_fifo"]:
        queue["fifo_seq"] += 1
        new["seq"] = str(queue["fifo_seq"]).zfill(20)
    return new


# Helpers ---------------------------------------------------------------------


def _existing(arn):
    queue = service._queue_by_arn(arn)
    if queue is None:
        raise service._Err(
            "ResourceNotFoundException", "One or more specified resources don't exist.", 404
        )
    return queue


def _sources(arn):
    """The queues whose dead letters go to this one."""
    policies = (q["attributes"].get("RedrivePolicy") for q in service._queues.values())
    return [p for p in policies if p and json.loads(p).get("deadLetterTargetArn") == arn]


def _invalid(message):
    return service._Err("InvalidParameterValue", message)
