"""ECS: a task's containers as its definition says, where tasks run."""

import functools
import os
import pathlib
import threading
import time

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.core.responses import get_account_id
from ministack.services import ecs as service
from ministack.services import rds

from layer import containers, databases, processes
from layer.wrapping import wrap

CA_PATH = "/etc/rds-ca.pem"
_STOP_LABEL = "layer.stop-timeout"

# How a container is run ------------------------------------------------------
#
# Stock: user, read-only file system, capabilities, memory, init process, stop
#        timeout and volumes without a path on the host are ignored.
# AWS:   they hold.
# Needed: an image that breaks the platform's conventions breaks here too.
#        Not the number of open files: an engine that is not privileged may not
#        raise it. A process has none of these but the stop timeout.


@wrap(service, "_build_run_kwargs")
def run_arguments(stock, cdef, td, env, *rest):
    from docker.types import Mount

    arguments = stock(cdef, td, env, *rest)
    linux = cdef.get("linuxParameters") or {}
    arguments.update(
        user=cdef.get("user"),
        read_only=bool(cdef.get("readonlyRootFilesystem")),
        cap_drop=(linux.get("capabilities") or {}).get("drop"),
        init=bool(linux.get("initProcessEnabled")),
        mem_limit=f"{cdef.get('memory') or td['memory']}m",
        extra_hosts={**_connected(), **databases.proxies()},
    )
    arguments["labels"][_STOP_LABEL] = str(cdef.get("stopTimeout", 30))
    on_host = {bind.split(":")[1] for bind in arguments.get("volumes", [])}
    arguments["mounts"] = [
        Mount(target=point["containerPath"], source=None, type="volume")
        for point in cdef.get("mountPoints", [])
        if point["containerPath"] not in on_host
    ]
    arguments.setdefault("volumes", []).append(f"{_ca_file()}:{CA_PATH}:ro")
    return arguments


@functools.cache
def _ca_file():
    """The certificate authority of the databases, as a file that containers can be given."""
    path = pathlib.Path(os.environ["STATE_DIR"], "rds-ca.pem").absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rds.pg_ca_cert_pem())
    return path


# Who a container is ----------------------------------------------------------
#
# Stock: credentials are offered at the gateway's address, which AWS's SDKs
#        refuse: they take them from the task's own network only.
# AWS:   they are the task role's.
# Needed: the SDKs find credentials, and connect to RDS by its CA. PGSSLROOTCERT
#        is PostgreSQL's name for it: AWS's own is in the image.


@wrap(service, "_register_metadata")
def register_metadata(stock, task_arn, cluster_arn, td, cdef, launch_type, env, *rest):
    token = stock(task_arn, cluster_arn, td, cdef, launch_type, env, *rest)
    del env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    env.update(
        AWS_ACCESS_KEY_ID=get_account_id(),
        AWS_SECRET_ACCESS_KEY="unused",
        PGSSLROOTCERT=str(_ca_file()) if processes.BINARIES else CA_PATH,
    )
    return token


# How it is reached by name ---------------------------------------------------
#
# Stock: Service Connect is a setting.
# AWS:   a proxy beside each task answers for the names of the namespace.
# Needed: services call each other. Here one proxy, at the gateway, answers for
#        all of them, and one each for processes: see connect.py.


def _connected():
    return {alias["dnsName"]: containers.GATEWAY for alias, _ in aliases()}


def aliases():
    """Each name and port that services of the request's account are called at, with the service."""
    for record in service._services.values():
        connect = record.get("_serviceConnectConfiguration") or {}
        for served in connect.get("services") or []:
            for alias in served.get("clientAliases") or []:
                yield alias, record


# How it ends -----------------------------------------------------------------
#
# Stock: whoever stops a task waits for it, and kills it after five seconds.
# AWS:   StopTask returns at once, and the container has its stop timeout.
# Needed: a task that is replaced finishes what it has in hand.


@wrap(service, "_remove_docker_container")
def remove_container(stock, engine, container):
    def remove():
        found = engine.containers.get(container) if isinstance(container, str) else container
        found.stop(timeout=int(found.labels.get(_STOP_LABEL, 10)))
        stock(engine, found)

    if engine is not None and container is not None:
        threading.Thread(target=remove, daemon=True, name="layer-remove").start()


# How often it is looked at ---------------------------------------------------
#
# Stock: each task's containers are asked for ten times a second.
# Needed: an engine that has time for something else.


@wrap(service, "_maybe_mark_stopped")
def maybe_mark_stopped(stock, *arguments):
    if threading.current_thread().name.startswith("ministack-ecs-watch-"):
        time.sleep(0.4)
    stock(*arguments)


# Whether it is well ----------------------------------------------------------
#
# Stock: a container that runs is well.
# AWS:   the health check says so: a service's task that fails it is replaced,
#        and a deployment is complete when its tasks are healthy. The first look
#        is after the interval, which is five seconds at least; here it is sooner.
# Needed: an image that starts and does not work must not pass for deployed.


@wrap(service, "_mark_task_running")
def mark_running(stock, task_arn, task):
    running = stock(task_arn, task)
    definition = service._task_defs.get(service._resolve_td_key(task["taskDefinitionArn"])) or {}
    for index, cdef in enumerate(definition.get("containerDefinitions", [])):
        if running and cdef.get("healthCheck") and task.get("_docker_ids"):
            task["healthStatus"] = "UNKNOWN"
            spawn_background(_watch_health, task, index, cdef["healthCheck"], thread_name="layer-health")
    return running


FIRST_LOOK_SECONDS = 2


def _watch_health(task, index, check):
    engine, failures = service._get_docker(), 0
    command = check["command"][1:]
    if check["command"][0] == "CMD-SHELL":
        command = ["/bin/sh", "-c", *command]
    interval = check.get("interval", 30)
    counted = time.monotonic() + check.get("startPeriod", 0)
    time.sleep(FIRST_LOOK_SECONDS)  # what ends at once was never well
    while _alive(task):
        healthy = _exits_well(engine, task, index, command)
        if healthy:
            failures = 0
            _set_health(task, index, "HEALTHY")
        elif time.monotonic() > counted:
            failures += 1
            counted = time.monotonic() + interval
        if failures >= check.get("retries", 3):
            _set_health(task, index, "UNHEALTHY")
            _replace(task)
            return
        # More often while it is not healthy: whoever waits for a deployment waits for this.
        time.sleep(interval if healthy else 1)


def _alive(task):
    return service._task_is_active(task["taskArn"], task) and task.get("_docker_ids")


def _exits_well(engine, task, index, command):
    try:
        container = engine.containers.get(task["_docker_ids"][index])
        return container.exec_run(command).exit_code == 0
    except Exception:  # the container ends or the engine is busy: it did not say that it is well
        return False


def _set_health(task, index, status):
    with resource_lock("ecs-task", task["taskArn"]):
        before = task.get("healthStatus")
        task["containers"][index]["healthStatus"] = status
        task["healthStatus"] = status
    group = task.get("group", "")
    if status == "HEALTHY" and before != status and group.startswith("service:"):
        cluster = service._cluster_name_from_arn(task["clusterArn"])
        service._schedule_service_deployment_completion(
            cluster,
            f"{cluster}/{group.removeprefix('service:')}",
            service.get_account_id(),
            service.get_region(),
            healthy_task=task,
        )


def _replace(task):
    """Ends a task of a service as ECS does when its health check fails."""
    reason = "Task failed container health checks"
    if service._mark_task_stopped(task["taskArn"], task, reason, "ServiceSchedulerInitiated"):
        service._cleanup_task_resources(task, service._get_docker())
        service._record_service_task_failure(task)


@wrap(service, "_record_service_task_healthy")
def record_healthy(stock, svc_key, task):
    if task.get("healthStatus", "HEALTHY") == "HEALTHY":
        _failures.pop(svc_key, None)
        stock(svc_key, task)


# How a service begins, and begins again --------------------------------------
#
# Stock: the first deployment is complete before a task runs, and a task that
#        fails is replaced at once.
# AWS:   it is in progress until its tasks are well, and the scheduler waits
#        longer and longer before it tries again.
# Needed: the first deployment of an image that does not work fails, and does
#        not keep the machine busy.


@wrap(service, "_make_deployment")
def make_deployment(stock, task_definition, desired_count, *status):
    deployment = stock(task_definition, desired_count, *status)
    if containers.RUNNING and desired_count:
        deployment.update(rolloutState="IN_PROGRESS", rolloutStateReason="ECS deployment in progress.")
    return deployment


_failures = {}
LONGEST_PAUSE = 30


@wrap(service, "_record_service_task_failure")
def record_failure(stock, task, *arguments, **options):
    group = task.get("group", "")
    if containers.RUNNING and group.startswith("service:"):
        cluster = service._cluster_name_from_arn(task["clusterArn"])
        key = f"{cluster}/{group.removeprefix('service:')}"
        _failures[key] = _failures.get(key, 0) + 1
        time.sleep(min(2 ** (_failures[key] - 1), LONGEST_PAUSE))
    stock(task, *arguments, **options)
