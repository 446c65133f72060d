"""ECS: what clusters, services and capacity providers forget."""

import json

from ministack.core.responses import json_response
from ministack.services import ecs as service

from layer.wrapping import succeeded, wrap

# Service Connect defaults of a cluster ---------------------------------------
#
# Stock: CreateCluster drops them (UpdateCluster keeps them).
# AWS:   DescribeClusters returns them.
# Needed: aws_ecs_cluster with service_connect_defaults.


@wrap(service, "_put_cluster")
def put_cluster(stock, request):
    cluster = stock(request)
    if defaults := request.get("serviceConnectDefaults"):
        cluster["serviceConnectDefaults"] = defaults
    return cluster


# Settings of a service -------------------------------------------------------
#
# Stock: zone rebalancing and the placement strategy are dropped, and an update drops tag propagation too.
# AWS:   they are returned; rebalancing is DISABLED unless asked for.
# Needed: aws_ecs_service plans a change of each otherwise.
#
# Stock: the Service Connect configuration is dropped.
# AWS:   it is part of each deployment and new deployments inherit it.
# Needed: aws_ecs_service reads it from the primary deployment.

UPDATABLE = ("enableECSManagedTags", "placementStrategy", "propagateTags", "serviceRegistries")
_CONNECT = "_serviceConnectConfiguration"


@wrap(service, "_create_service")
def create_service(stock, request):
    return _remember(request, stock(request))


@wrap(service, "_update_service")
def update_service(stock, request):
    response = _remember(request, stock(request))
    if not succeeded(response):
        return response
    changed = {name: request[name] for name in UPDATABLE if name in request}
    record = _stored(response)
    record.update(changed)
    return json_response({"service": service._sanitize(record)})


def _remember(request, response):
    if not succeeded(response):
        return response
    record = _stored(response)
    record["availabilityZoneRebalancing"] = (
        request.get("availabilityZoneRebalancing")
        or record.get("availabilityZoneRebalancing")
        or "DISABLED"
    )
    if "placementStrategy" in request:
        record["placementStrategy"] = request["placementStrategy"]
    if "serviceConnectConfiguration" in request:
        record[_CONNECT] = request["serviceConnectConfiguration"]
    return json_response({"service": service._sanitize(record)})


def _stored(response):
    arn = json.loads(response[2])["service"]["serviceArn"]
    return next(s for s in service._services.values() if s["serviceArn"] == arn)


@wrap(service, "_sanitize")
def present(stock, record):
    """Puts the Service Connect configuration into the deployments of a service."""
    if isinstance(record, dict) and record.get(_CONNECT):
        deployments = [
            {**deployment, "serviceConnectConfiguration": record[_CONNECT]}
            for deployment in record["deployments"]
        ]
        record = {**record, "deployments": deployments}
    return stock(record)


# Capacity providers ----------------------------------------------------------
#
# Stock: managed draining is dropped when a provider is created.
# AWS:   it is returned; draining is managed unless told otherwise.
# Needed: aws_ecs_capacity_provider plans a change otherwise.


@wrap(service, "_create_capacity_provider")
def create_capacity_provider(stock, request):
    response = stock(request)
    if not succeeded(response):
        return response
    record = service._capacity_providers[request["name"]]
    asked = request.get("autoScalingGroupProvider", {}).get("managedDraining")
    record["autoScalingGroupProvider"]["managedDraining"] = asked or "ENABLED"
    return json_response({"capacityProvider": record})
