"""Application Auto Scaling, a service ministack does not have.

Stock: every call is refused.
AWS:   keeps scalable targets with their policies and scheduled actions; refuses
       what names no registered target, and drops all of a target with it. Who
       registers a target moves its service into the bounds at once.
Needed: aws_appautoscaling_target, _policy and _scheduled_action; `operate wake`
       and `operate sleep`, which register targets.

Nothing else is ever scaled here: no policy and no schedule does anything.
"""

import json
import sys
import time
import uuid

from ministack import app
from ministack.core import router
from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)
from ministack.services import ecs

SERVICE = "application-autoscaling"
STATE_NAME = "application_autoscaling"
TARGET_PREFIX = "AnyScaleFrontendService."

NOTHING_SUSPENDED = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}

_targets = AccountRegionScopedDict()
_policies = AccountRegionScopedDict()
_actions = AccountRegionScopedDict()
_tags = AccountRegionScopedDict()
_stores = {"targets": _targets, "policies": _policies, "actions": _actions, "tags": _tags}


# What ministack expects of a service -----------------------------------------


async def handle_request(method, path, headers, body, query_params):
    operation = headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
    handler = _OPERATIONS.get(operation)
    if handler is None:
        return error_response_json("UnknownOperationException", operation, 400)
    return handler(json.loads(body) if body else {})


def get_state():
    return dict(_stores)


def load_persisted_state(data):
    for name, saved in data.items():
        _stores[name].update(saved)


def reset():
    for store in _stores.values():
        store.clear()


def _register():
    app._loaded_modules[STATE_NAME] = sys.modules[__name__]
    app._state_map[STATE_NAME] = STATE_NAME
    app.SERVICE_REGISTRY[SERVICE] = {"module": STATE_NAME}
    app.SERVICE_HANDLERS[SERVICE] = app._lazy_handler(STATE_NAME)
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": [TARGET_PREFIX]}


# Targets ---------------------------------------------------------------------


def register_target(request):
    target = _targets.get(_target_key(request)) or _new_target(request)
    for member in ("MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState"):
        if member in request:
            target[member] = request[member]
    _targets[_target_key(request)] = target
    if request.get("Tags"):
        _tags[target["ScalableTargetARN"]] = dict(request["Tags"])
    if target["ScalableDimension"] == "ecs:service:DesiredCount":
        _move_into_bounds(target)
    return json_response({"ScalableTargetARN": target["ScalableTargetARN"]})


def _move_into_bounds(target):
    _, cluster, name = target["ResourceId"].split("/")
    service = ecs._services.get(f"{cluster}/{name}")
    if service is None or service["status"] != "ACTIVE":
        return
    desired = service["desiredCount"]
    bounded = min(max(desired, target["MinCapacity"]), target["MaxCapacity"])
    if bounded != desired:
        ecs._update_service({"cluster": cluster, "service": name, "desiredCount": bounded})


def _new_target(request):
    namespace = request["ServiceNamespace"]
    role = f"AWSServiceRoleForApplicationAutoScaling_{namespace.upper()}Service"
    return {
        "ServiceNamespace": namespace,
        "ResourceId": request["ResourceId"],
        "ScalableDimension": request["ScalableDimension"],
        "ScalableTargetARN": _arn(SERVICE, f"scalable-target/{uuid.uuid4().hex}"),
        "RoleARN": f"arn:aws:iam::{get_account_id()}:role/aws-service-role/"
        f"{namespace}.application-autoscaling.amazonaws.com/{role}",
        "SuspendedState": dict(NOTHING_SUSPENDED),
        "CreationTime": int(time.time()),
    }


def describe_targets(request):
    found = [
        target
        for target in _targets.values()
        if _selects(request, target) and _named(request.get("ResourceIds"), target["ResourceId"])
    ]
    return json_response({"ScalableTargets": found})


def deregister_target(request):
    target = _targets.pop(_target_key(request), None)
    if target is None:
        return _not_found("scalable target", request)
    _tags.pop(target["ScalableTargetARN"], None)
    for store in (_policies, _actions):
        for key, item in store.items():
            if _target_key(item) == _target_key(request):
                store.pop(key)
    return json_response({})


# Policies --------------------------------------------------------------------


def put_policy(request):
    if _target_key(request) not in _targets:
        return _not_found("scalable target", request)
    key = _item_key(request, "PolicyName")
    policy = {
        **(_policies.get(key) or _new_policy(request)),
        **request,
    }
    _policies[key] = policy
    return json_response({"PolicyARN": policy["PolicyARN"], "Alarms": []})


def _new_policy(request):
    return {
        "PolicyARN": _item_arn("scalingPolicy", "policyName", request, request["PolicyName"]),
        "CreationTime": int(time.time()),
        "Alarms": [],
    }


def describe_policies(request):
    found = [
        policy
        for policy in _policies.values()
        if _selects(request, policy) and _named(request.get("PolicyNames"), policy["PolicyName"])
    ]
    return json_response({"ScalingPolicies": found})


def delete_policy(request):
    if _policies.pop(_item_key(request, "PolicyName"), None) is None:
        return _not_found("scaling policy", request)
    return json_response({})


# Scheduled actions -----------------------------------------------------------


def put_action(request):
    if _target_key(request) not in _targets:
        return _not_found("scalable target", request)
    key = _item_key(request, "ScheduledActionName")
    _actions[key] = {**(_actions.get(key) or _new_action(request)), **request}
    return json_response({})


def _new_action(request):
    name = request["ScheduledActionName"]
    return {
        "ScheduledActionARN": _item_arn("scheduledAction", "scheduledActionName", request, name),
        "CreationTime": int(time.time()),
    }


def describe_actions(request):
    names = request.get("ScheduledActionNames")
    found = [
        action
        for action in _actions.values()
        if _selects(request, action) and _named(names, action["ScheduledActionName"])
    ]
    return json_response({"ScheduledActions": found})


def delete_action(request):
    if _actions.pop(_item_key(request, "ScheduledActionName"), None) is None:
        return _not_found("scheduled action", request)
    return json_response({})


# Tags ------------------------------------------------------------------------


def list_tags(request):
    return json_response({"Tags": _tags.get(request["ResourceARN"], {})})


def tag(request):
    arn = request["ResourceARN"]
    _tags[arn] = {**_tags.get(arn, {}), **request["Tags"]}
    return json_response({})


def untag(request):
    arn = request["ResourceARN"]
    removed = request["TagKeys"]
    _tags[arn] = {key: value for key, value in _tags.get(arn, {}).items() if key not in removed}
    return json_response({})


# Helpers ---------------------------------------------------------------------


def _target_key(item):
    return "|".join((item["ServiceNamespace"], item["ResourceId"], item["ScalableDimension"]))


def _item_key(item, name_member):
    return f"{_target_key(item)}|{item[name_member]}"


def _selects(request, item):
    """Whether an item is of the namespace, and of the resource and dimension if named."""
    optional = ("ResourceId", "ScalableDimension")
    return item["ServiceNamespace"] == request["ServiceNamespace"] and all(
        request.get(member) in (None, item[member]) for member in optional
    )


def _named(names, name):
    return not names or name in names


def _arn(service, resource):
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


def _item_arn(kind, name_kind, request, name):
    resource = f"{request['ServiceNamespace']}/{request['ResourceId']}"
    return _arn("autoscaling", f"{kind}:{uuid.uuid4()}:resource/{resource}:{name_kind}/{name}")


def _not_found(kind, request):
    message = (
        f"No {kind} found for service namespace: {request['ServiceNamespace']}, "
        f"resource ID: {request['ResourceId']}, "
        f"scalable dimension: {request['ScalableDimension']}"
    )
    return error_response_json("ObjectNotFoundException", message, 400)


_OPERATIONS = {
    "RegisterScalableTarget": register_target,
    "DescribeScalableTargets": describe_targets,
    "DeregisterScalableTarget": deregister_target,
    "PutScalingPolicy": put_policy,
    "DescribeScalingPolicies": describe_policies,
    "DeleteScalingPolicy": delete_policy,
    "PutScheduledAction": put_action,
    "DescribeScheduledActions": describe_actions,
    "DeleteScheduledAction": delete_action,
    "ListTagsForResource": list_tags,
    "TagResource": tag,
    "UntagResource": untag,
}

_register()
