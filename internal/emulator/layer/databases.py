"""RDS: PostgreSQL as RDS runs it, where databases run."""

import hashlib
import io
import os
import tarfile

from ministack.core.responses import get_account_id, get_region
from ministack.services import ecs
from ministack.services import rds as service

from layer import containers, processes, query
from layer.wrapping import succeeded, wrap

# The name of a database ------------------------------------------------------
#
# Stock: an instance has the address its container has at the moment, and
#        containers of two emulators have the same names.
# AWS:   an instance has a name that stays.
# Needed: services find the database again after it was stopped. Without a
#        network of containers nothing resolves a name: there the address stays.


def _domain():
    scope = hashlib.sha256(get_account_id().encode()).hexdigest()[:12]
    return f"{scope}.{get_region()}.rds.amazonaws.com"


def _name(identifier):
    return f"{identifier}.{_domain()}"


@wrap(service, "_instance_xml")
def instance_xml(stock, instance):
    if containers.NETWORK and instance.get("_docker_container_id"):
        endpoint = {
            **instance["Endpoint"],
            "Address": _name(instance["DBInstanceIdentifier"]),
            "Port": instance["_internal_port"],
        }
        instance = {**instance, "Endpoint": endpoint}
    return stock(instance)


# The name of a proxy ---------------------------------------------------------
#
# Stock: it leads nowhere.
# AWS:   to the database, by connections that the proxy keeps, and for those
#        whose login it was given.
# Needed: services of an environment with a proxy. Here the database itself
#         answers by that name, to tasks that start once it is the target.


def _proxy_name(proxy):
    return f"{proxy['DBProxyName']}.proxy-{_domain()}"


def proxies():
    """The address of each proxy's database in the request's account, by the proxy's name."""
    found = {}
    for proxy in service._db_proxies.values():
        for target in proxy["Targets"]:
            if instance := service._instances.get(target["RdsResourceId"]):
                found[_proxy_name(proxy)] = instance["_internal_address"]
    return found


@wrap(service, "_db_proxy_xml")
def proxy_xml(stock, proxy):
    return stock({**proxy, "Endpoint": _proxy_name(proxy)})


# Who logs in by a proxy ------------------------------------------------------
#
# Stock: nobody does.
# AWS:   the proxy asks for a token, and gives the database the password that
#        the secret of the user has.
# Needed: services send tokens, which the database would refuse as passwords.
#         Here a target takes any from all but its master, as from rds_iam.

_BEHIND_A_PROXY = """data=${PGDATA:-/var/lib/postgresql/data}
cat >"$data/pg_hba.conf" <<HBA
local all all trust
hostssl all "$POSTGRES_USER" all scram-sha-256
hostssl all all all trust
HBA
kill -HUP "$(head -n 1 "$data/postmaster.pid")"
"""


@wrap(service, "_register_db_proxy_targets")
def register_targets(stock, params):
    response = stock(params)
    if containers.NETWORK and succeeded(response):
        for identifier in query.members(params, "DBInstanceIdentifiers"):
            _let_in(service._instances[identifier])
    return response


def _let_in(instance):
    database = service._get_docker().containers.get(instance["_docker_container_id"])
    done = database.exec_run(["sh", "-ec", _BEHIND_A_PROXY])
    if done.exit_code:
        raise RuntimeError(f"{database.name}: {done.output.decode()}")


@wrap(service, "_network_supports_aliases")
def supports_aliases(stock, network):
    return network != processes.NETWORK and stock(network)


@wrap(service, "_rds_docker_scope")
def docker_scope(stock, *arguments):
    return f"{os.environ['GATEWAY_PORT']}-{stock(*arguments)}"


# How it is run ---------------------------------------------------------------
#
# Stock: the official image, which takes connections without TLS.
# AWS:   rds.force_ssl refuses those, and a member of rds_iam logs in with a
#        token instead of a password.
# Needed: services that connect as they must on AWS. The token itself is not
#        checked: PostgreSQL would have to ask AWS.

_SETUP = f"""#!/bin/sh
set -e
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set ON_ERROR_STOP=1 --command '{processes.POSTGRESQL_ROLES}'
cat >"$PGDATA/pg_hba.conf" <<HBA
{processes.POSTGRESQL_ACCESS}HBA
"""


@wrap(service, "_run_rds_container")
def run_container(stock, engine, kind, arguments, tls_names=(), tls_ips=()):
    if containers.NETWORK and "postgres" in kind:
        name = _name(arguments["labels"].get("db_id") or arguments["labels"]["cluster_id"])
        endpoint = engine.api.create_endpoint_config(aliases=[name])
        # No port of the host: the network is reached from there, and another emulator may take the port first.
        arguments = {**arguments, "networking_config": {containers.NETWORK: endpoint}, "ports": {}}
        tls_names = [*tls_names, name, f"*.proxy-{_domain()}"]
    if processes.BINARIES:
        tls_ips = [*tls_ips, processes.database_address(processes.volume_of(arguments))]
    return stock(engine, kind, arguments, tls_names, tls_ips)


@wrap(service, "_pg_tls_archive")
def archive(stock, *material):
    packed = io.BytesIO(stock(*material))
    with tarfile.open(fileobj=packed, mode="a") as bundle:
        entry = tarfile.TarInfo("docker-entrypoint-initdb.d/rds.sh")
        entry.mode = 0o755
        entry.size = len(_SETUP)
        bundle.addfile(entry, io.BytesIO(_SETUP.encode()))
    return packed.getvalue()


# Stopping and starting it ----------------------------------------------------
#
# Stock: an instance that is stopped answers as before.
# AWS:   it does not, until it is started, with the data it had.
# Needed: an environment that sleeps and wakes.

STOP_SECONDS = 30


@wrap(service, "_set_db_instance_status")
def set_status(stock, params, status, *names):
    instance = service._resolve_instance(query.value(params, "DBInstanceIdentifier"))
    if instance and instance.get("_docker_container_id"):
        running = service._get_docker().containers.get(instance["_docker_container_id"])
        if status == "stopped":
            running.stop(timeout=STOP_SECONDS)
        elif running.status == "exited":
            running.start()
            if containers.NETWORK:  # its address may be another one, its name is not
                instance["_internal_address"] = ecs._container_ip(running, containers.NETWORK)
            _await_ready(instance, running)
    return stock(params, status, *names)


def _await_ready(instance, process):
    service._wait_for_database_ready(
        instance["_internal_address"],
        instance["_internal_port"],
        instance["Engine"],
        instance["MasterUsername"],
        instance["_MasterUserPassword"],
        instance["DBName"],
        lambda: process.status != "exited",
    )
