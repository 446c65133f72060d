"""Where tasks and databases run in containers: the engine, as ECS and RDS see it.

Only where the emulator was given a network of a container engine. Where it was
given a folder of programs instead, the engine is processes.py's; elsewhere tasks
and databases are records, and nothing below takes part.

Stock: the emulator is a container beside those it starts, finds its own
       network by its host name, and pulls images from the address they name.
Here:  it is a process of the host, which containers reach at their network's
       gateway, and an image of ECR is in its own registry.
Needed: the shop runs as it does on AWS, from the JSON that AWS gets.
"""

import functools
import os
import re
import types
import urllib.request

from ministack.services import ecr, ecs, rds

from layer import processes
from layer.wrapping import wrap

NETWORK = os.environ.get("LAYER_NETWORK", "")
GATEWAY = os.environ.get("LAYER_GATEWAY", "")
# Whether tasks and databases run at all, in containers or as processes.
RUNNING = bool(NETWORK or processes.BINARIES)
REGISTRY = f"127.0.0.1:{os.environ.get('GATEWAY_PORT', '4566')}"

_ECR = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/")
_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)


def local(image):
    """The reference of an image of ECR in the emulator's registry; any other is its own."""
    return _ECR.sub(f"{REGISTRY}/", image)


def digest(image):
    """The digest that an image of the emulator's registry has now."""
    repository, _, tag = image.removeprefix(f"{REGISTRY}/").partition(":")
    request = urllib.request.Request(
        f"http://{REGISTRY}/v2/{repository}/manifests/{tag or 'latest'}",
        method="HEAD",
        headers={"Accept": _MANIFESTS},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers["Docker-Content-Digest"]


class Engine:
    """The client of the container engine, with the emulator in its network and its registry beside it."""

    def __init__(self, client):
        self._client = client
        self.containers = _Containers(client.containers)
        self.images = _Images(client.images)

    def __getattr__(self, name):
        return getattr(self._client, name)


class _Containers:
    def __init__(self, stock):
        self._stock = stock

    def __getattr__(self, name):
        return getattr(self._stock, name)

    def get(self, identifier):
        if identifier == os.environ.get("HOSTNAME", ""):
            networks = {NETWORK: {"IPAddress": GATEWAY}}
            return types.SimpleNamespace(attrs={"NetworkSettings": {"Networks": networks}})
        return self._stock.get(identifier)

    def run(self, image, *arguments, **options):
        return self._stock.run(local(image), *arguments, **options)

    def create(self, image, *arguments, **options):
        return self._stock.create(local(image), *arguments, **options)


class _Images:
    def __init__(self, stock):
        self._stock = stock

    def __getattr__(self, name):
        return getattr(self._stock, name)

    def get(self, image):
        return self._stock.get(local(image))

    def pull(self, image, *arguments, **options):
        return self._stock.pull(local(image), *arguments, **options)

    def get_registry_data(self, image, **_):
        return types.SimpleNamespace(id=digest(local(image)))


@functools.cache
def get_docker(stock):
    if processes.BINARIES:
        return processes.engine
    client = stock()
    return Engine(client) if client else None


# The repository of a request ------------------------------------------------
#
# Stock: a request without a signature finds repositories of one account.
# AWS:   the host's name says which account and region.
# Needed: containers' engines ask for shop/orders at the emulator's own address.


@wrap(ecr, "_select_registry_request_scope")
def select_scope(stock, name, headers, query_params):
    stock(name, headers, query_params)
    if not name or name in ecr._repositories:
        return
    for (account, region, stored), _ in ecr._repositories.all_items():
        if stored == name:
            ecr.set_request_account_id(account)
            ecr.set_request_region(region)
            return


if RUNNING:
    wrap(ecs, "_get_docker")(get_docker)
    wrap(rds, "_get_docker")(get_docker)
