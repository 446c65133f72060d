"""What the emulator answers beside AWS's API, where tasks run.

gateway:port   the API, for containers
gateway:80     Service Connect: the services by their names, e.g. http://payments
127.0.0.1:any  the same for processes, a port for each name
127.0.0.1:site what CloudFront serves, as a browser sees it
"""

import asyncio
import functools
import json
import os
import random
import socket
import threading

import hypercorn.asyncio as server
import hypercorn.config
from ministack import app
from ministack.core.responses import request_scope
from ministack.services import alb, cloudfront, ecs

from layer import containers, processes, tasks
from layer.wrapping import wrap

PORT = int(os.environ.get("GATEWAY_PORT", "4566"))
SITE_PORT = int(os.environ.get("LAYER_SITE_PORT", "0"))
CONNECT_PORT = 80


_serve = server.serve


def listen():
    """Adds the addresses above to the one that ministack's server listens on."""

    def serve(application, config):
        more = [f"127.0.0.1:{SITE_PORT}"] if SITE_PORT else []
        if containers.NETWORK:
            more += [f"fd://{_at_gateway(port)}" for port in (PORT, CONNECT_PORT)]
        config.bind = config.bind + more
        return _serve(application, config)

    server.serve = serve


def _at_gateway(port):
    """A socket at the gateway. Podman gives the host that address with the first container only."""
    free_bind = 15  # IP_FREEBIND of Linux, which Python has no name for
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_IP, free_bind, 1)
    listener.bind((containers.GATEWAY, port))
    return listener.detach()


@wrap(app, "app")
async def answer(stock, scope, receive, send):
    if scope["type"] == "http":
        address = tuple(scope["server"])
        if containers.NETWORK and address == (containers.GATEWAY, CONNECT_PORT):
            return await _call(_host(scope), scope, receive, send)
        if SITE_PORT and address == ("127.0.0.1", SITE_PORT):
            scope = _as_viewer(scope)
            if scope is None:
                return await _say(send, 503, "there is no distribution yet")
    return await stock(scope, receive, send)


# The site --------------------------------------------------------------------


def _as_viewer(scope):
    """The request as CloudFront gets it: for the distribution's own name, over TLS.

    Where there are several distributions, the host NAME.localhost asks for that of
    the name, e.g. d1.cloudfront.net: browsers lead every such host to this machine.
    """
    names = [dist["DomainName"] for _, dist in cloudfront._distributions._data.items()]
    if not names:
        return None
    wanted = _host(scope).removesuffix(".localhost")
    name = wanted if wanted in names else names[0]
    replaced = (b"host", b"x-forwarded-proto")
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in replaced]
    headers += [(b"host", name.encode()), (b"x-forwarded-proto", b"https")]
    return {**scope, "headers": headers}


# Service Connect -------------------------------------------------------------


def _host(scope):
    return dict(scope["headers"]).get(b"host", b"").decode("latin-1").split(":")[0]


async def _call(name, scope, receive, send):
    """Passes a request on to a task of the service that has the name."""
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    targets = _targets(name)
    if not targets:
        return await _say(send, 503, f"no task of a service named {name} runs")
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    status, headers, stream = await alb._proxy_http_target(
        random.choice(targets),
        {},
        scope["method"],
        scope["raw_path"].decode().split("?")[0],
        headers,
        body,
        {},
        scope["query_string"].decode(),
    )
    if isinstance(stream, bytes):  # it could not be reached
        return await _say(send, status, stream)
    rows = [
        (name.encode(), value.encode("latin-1"))
        for name, values in headers.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    await send({"type": "http.response.start", "status": status, "headers": rows})
    return await stream.runner(send, receive)


def _targets(name):
    """The addresses of the tasks that run of the service called by the name, in any account."""
    found = []
    for account, region in {(key[0], key[1]) for key, _ in ecs._services.all_items()}:
        with request_scope(account, region):
            for alias, record in tasks.aliases():
                if alias["dnsName"] == name:
                    found += [{"Id": ip, "Port": port} for ip, port in _addresses(record)]
    return found


def _addresses(record):
    definition = ecs._task_defs.get(ecs._resolve_td_key(record["taskDefinition"]))
    port = definition["containerDefinitions"][0]["portMappings"][0]["containerPort"]
    for task in list(ecs._tasks.values()):
        if (
            task.get("group") == f"service:{record['serviceName']}"
            and task.get("clusterArn") == record["clusterArn"]
            and task.get("lastStatus") == "RUNNING"
            and ecs._task_ip(task)
        ):
            yield ecs._task_ip(task), port


# For processes ---------------------------------------------------------------
#
# Nothing resolves the names for them, and port 80 is root's: each name has a
# port of its own instead, and variables that hold the name's URL hold that.


@wrap(ecs, "_build_run_kwargs")
def run_arguments(stock, cdef, td, env, *rest):
    if processes.BINARIES:
        names = {f"http://{alias['dnsName']}": alias["dnsName"] for alias, _ in tasks.aliases()}
        env = {name: _url(names[value]) if value in names else value for name, value in env.items()}
    return stock(cdef, td, env, *rest)


_opening = threading.Lock()


def _url(name):
    with _opening:
        return f"http://{processes.HOST}:{_open(name)}"


@functools.cache
def _open(name):
    """Starts to listen for a name, and returns the port."""
    listener = socket.create_server((processes.HOST, 0))
    port = listener.getsockname()[1]
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.detach()}"]
    serving = _serve(
        functools.partial(_answer_name, name), config, shutdown_trigger=asyncio.Event().wait
    )
    asyncio.run_coroutine_threadsafe(serving, app._MAIN_LOOP)
    return port


async def _answer_name(name, scope, receive, send):
    if scope["type"] == "http":
        return await _call(name, scope, receive, send)
    for event in ("startup", "shutdown"):  # of the protocol's "lifespan"
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def _say(send, status, what):
    body = what if isinstance(what, bytes) else json.dumps({"message": what}).encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
