"""SSM: who changed a parameter."""

import contextvars

from ministack.core.iam_evaluator import request_caller_arn
from ministack.services import ssm as service

from layer.wrapping import succeeded, wrap

# Stock: every version of a parameter was written by the account's root.
# AWS:   by who wrote it.
# Needed: the history of a parameter is the ledger of releases.

_caller = contextvars.ContextVar("layer_ssm_caller")


@wrap(service, "handle_request")
async def handle_request(stock, method, path, headers, body, query_params):
    _caller.set(request_caller_arn(headers, query_params))
    return await stock(method, path, headers, body, query_params)


@wrap(service, "_put_parameter")
def put_parameter(stock, request):
    response = stock(request)
    if succeeded(response):
        service._parameter_history[request["Name"]][-1]["LastModifiedUser"] = _caller.get()
    return response
