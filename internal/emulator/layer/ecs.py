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
    """Shows the deployments of a service as AWS does."""
    if isinstance(record, dict) and "serviceArn" in record and "deployments" in record:
        deployments = [_deployment(record, one) for one in record["deployments"] if not _over(record, one)]
        record = {**record, "deployments": deployments}
    return stock(record)


def _deployment(record, deployment):
    shown = {**deployment, "rolloutStateReason": _reason(deployment)}
    if record.get(_CONNECT):
        shown["serviceConnectConfiguration"] = record[_CONNECT]
    return shown


# How a deployment ends -------------------------------------------------------
#
# Stock: reasons and events are ministack's own words, and a deployment that
#        failed is listed for ever.
# AWS:   they name the deployment, and it is listed until the one before it is
#        complete again.
# Needed: whoever follows a deployment reads them.

_FAILED = "ECS deployment circuit breaker: tasks failed to start."
_BROKEN = "deployment failed: deployment circuit breaker was triggered."
_BACK = "rolled back to the last completed deployment."


def _reason(deployment):
    reason = deployment.get("rolloutStateReason", "")
    if reason.startswith("ECS deployment circuit breaker was triggered"):
        return _FAILED
    if reason == "ECS deployment rollback in progress.":
        return f"ECS deployment circuit breaker: rolling back to deploymentId {deployment['id']}."
    return {
        "": f"ECS deployment {deployment['id']} in progress.",
        "ECS deployment in progress.": f"ECS deployment {deployment['id']} in progress.",
        "ECS deployment completed.": f"ECS deployment {deployment['id']} completed.",
    }.get(reason, reason)


def _over(record, deployment):
    primary = service._primary_deployment(record)
    return (
        deployment["status"] != "PRIMARY"
        and deployment.get("rolloutState") == "FAILED"
        and primary is not None
        and primary.get("rolloutState") == "COMPLETED"
    )


@wrap(service, "_record_service_task_failure")
def record_failure(stock, task, *arguments, **options):
    stock(task, *arguments, **options)
    cluster = service._cluster_name_from_arn(task.get("clusterArn", ""))
    record = service._services.get(f"{cluster}/{task.get('group', '').removeprefix('service:')}")
    if record is None:
        return
    primary = service._primary_deployment(record) or {}
    for event in record["events"]:
        if event["message"].endswith(_BROKEN):
            named = f"(deployment {task.get('_deployment_id')}) deployment failed: tasks failed to start."
            event["message"] = event["message"].replace(_BROKEN, named)
        elif event["message"].endswith(_BACK):
            named = f"rolling back to (deployment {primary.get('id')})."
            event["message"] = event["message"].replace(_BACK, named)


# Whose tasks they are --------------------------------------------------------
#
# Stock: a service's task was started by the service's name, and one that the
#        scheduler takes away was stopped by a user.
# AWS:   by the deployment, in both.
# Needed: the tasks of a deployment are told from those of the one before.

_BY_SCHEDULER = (
    "Deployment capacity limit",
    "Deployment completed",
    "Service scaling down",
    "Task definition updated",
)


@wrap(service, "_run_task")
def run_task(stock, request):
    if request.get("_deploymentId"):
        request = {**request, "startedBy": request["_deploymentId"]}
    return stock(request)


@wrap(service, "_mark_task_stopped")
def mark_stopped(stock, task_arn, task, reason, stop_code, **options):
    if reason in _BY_SCHEDULER:
        cluster = service._cluster_name_from_arn(task.get("clusterArn", ""))
        name = task.get("group", "").removeprefix("service:")
        primary = service._primary_deployment(service._services.get(f"{cluster}/{name}") or {}) or {}
        reason = f"Scaling activity initiated by (deployment {primary.get('id')})"
        stop_code = "ServiceSchedulerInitiated"
    return stock(task_arn, task, reason, stop_code, **options)


# Why a task did not start ----------------------------------------------------
#
# Stock: what the engine's client said.
# AWS:   the image that could not be pulled.
# Needed: the reason is what an operator reads.

_UNKNOWN_IMAGE = ("404 Client Error", "manifest unknown", "No such image", "no program ", "not found")


@wrap(service, "_fail_task_start")
def fail_start(stock, task, engine, reason):
    if any(sign in reason for sign in _UNKNOWN_IMAGE) and "secrets" not in reason:
        image = _image_that_failed(task)
        reason = (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
            f"failed to resolve ref {image}: {image}: not found"
        )
    stock(task, engine, reason)


def _image_that_failed(task):
    started = len(task.get("_docker_ids") or [])
    definition = service._task_defs[service._resolve_td_key(task["taskDefinitionArn"])]
    return definition["containerDefinitions"][started]["image"]


# The newest revision ---------------------------------------------------------
#
# Stock: a family without a revision is its last one, deregistered or not.
# AWS:   it is the newest that is active.
# Needed: aws_ecs_task_definition with track_latest, after a release that failed.


@wrap(service, "_resolve_td_key")
def resolve_definition(stock, reference):
    key = stock(reference)
    named = (reference or "").rpartition("/")[2]
    if not key or ":" in named or (service._task_defs.get(key) or {}).get("status") == "ACTIVE":
        return key
    active = [d["revision"] for d in service._task_defs.values() if d["family"] == named and d["status"] == "ACTIVE"]
    return f"{named}:{max(active)}" if active else key


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
