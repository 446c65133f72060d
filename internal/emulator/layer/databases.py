"""RDS: PostgreSQL as RDS runs it, where databases run in containers."""

import hashlib
import io
import os
import tarfile

from ministack.core.responses import get_account_id, get_region
from ministack.services import rds as service

from layer import containers
from layer.wrapping import wrap

# The name of a database ------------------------------------------------------
#
# Stock: an instance has the address its container has at the moment, and
#        containers of two emulators have the same names.
# AWS:   an instance has a name that stays.
# Needed: services find the database again after it was stopped.


def _name(identifier):
    scope = hashlib.sha256(get_account_id().encode()).hexdigest()[:12]
    return f"{identifier}.{scope}.{get_region()}.rds.amazonaws.com"


@wrap(service, "_instance_xml")
def instance_xml(stock, instance):
    if instance.get("_docker_container_id"):
        endpoint = {
            **instance["Endpoint"],
            "Address": _name(instance["DBInstanceIdentifier"]),
            "Port": instance["_internal_port"],
        }
        instance = {**instance, "Endpoint": endpoint}
    return stock(instance)


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

_SETUP = """#!/bin/sh
set -e
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set ON_ERROR_STOP=1 --command 'CREATE ROLE rds_iam NOLOGIN'
cat >"$PGDATA/pg_hba.conf" <<HBA
local all all trust
hostssl all +rds_iam all trust
hostssl all all all scram-sha-256
HBA
"""


@wrap(service, "_run_rds_container")
def run_container(stock, engine, kind, arguments, tls_names=(), tls_ips=()):
    if containers.NETWORK and "postgres" in kind:
        name = _name(arguments["labels"].get("db_id") or arguments["labels"]["cluster_id"])
        endpoint = engine.api.create_endpoint_config(aliases=[name])
        arguments = {**arguments, "networking_config": {containers.NETWORK: endpoint}}
        tls_names = [*tls_names, name]
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
