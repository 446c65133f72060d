"""How the layer reaches into ministack: three ways, used by every service module.

``wrap``           puts a function of ours round one of ministack's,
``add_operation``  teaches a JSON service an operation ministack does not know,
``new_store``      gives a service a store that is scoped by account and region,
                   saved with the service's own state and cleared by a reset.
"""

import functools
import json
import types

from ministack.core.responses import AccountRegionScopedDict

_operations = {}


def wrap(module, name):
    """Decorator: calls to ``module.name`` become ``wrapper(stock, *arguments)``.

    Dispatch tables of the module that hold the stock function follow. A name
    that does not exist raises, so a changed ministack cannot go unnoticed.
    """
    stock = getattr(module, name)

    def decorate(wrapper):
        replacement = functools.partial(wrapper, stock)
        for table in _dispatch_tables(module):
            for key, handler in table.items():
                if handler is stock:
                    table[key] = replacement
        setattr(module, name, replacement)
        return wrapper

    return decorate


def _dispatch_tables(module):
    return [value for value in vars(module).values() if type(value) is dict]


def add_operation(module, name):
    """Decorator: the JSON operation ``name`` is answered by the decorated function.

    It gets the decoded body and returns a ministack response.
    """
    if module not in _operations:
        _operations[module] = {}
        _route_added_operations(module, _operations[module])

    def decorate(handler):
        _operations[module][name] = handler
        return handler

    return decorate


def _route_added_operations(module: types.ModuleType, handlers: dict):
    @wrap(module, "handle_request")
    async def handle_request(stock, method, path, headers, body, query_params):
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        handler = handlers.get(operation)
        if handler is None:
            return await stock(method, path, headers, body, query_params)
        return handler(json.loads(body) if body else {})


def new_store(module, name):
    """A store of ours that lives and dies with the state of a ministack service."""
    store = AccountRegionScopedDict()
    key = f"layer_{name}"

    @wrap(module, "get_state")
    def get_state(stock):
        state = stock()
        state[key] = store
        return state

    @wrap(module, "load_persisted_state")
    def load_persisted_state(stock, data):
        data = dict(data)
        store.update(data.pop(key, {}))
        return stock(data)

    @wrap(module, "reset")
    def reset(stock):
        store.clear()
        return stock()

    return store


def succeeded(response):
    """Whether a handler answered with 200, the only answer wrappers add to."""
    return response[0] == 200
