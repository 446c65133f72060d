"""Secrets Manager: rotating a secret, and ending it."""

import copy
import json

from ministack.core.concurrency import spawn_background
from ministack.core.responses import error_response_json, json_response
from ministack.services import lambda_svc
from ministack.services import secretsmanager as service

from layer.wrapping import add_operation, succeeded, wrap

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")

# Rotating a secret -----------------------------------------------------------
#
# Stock: the new version is a copy of the current one, and the function is not
#        called.
# AWS:   the new version has no value, until the function, which is called four
#        times after the answer, gives it one and makes it the current one.
# Needed: a secret that nobody knows gets its first value.


@wrap(service, "_rotate_secret")
def rotate_secret(stock, request):
    _, secret = service._resolve(request.get("SecretId"))
    before = copy.deepcopy(secret["Versions"]) if secret else {}
    response = stock(request)
    if not succeeded(response) or not secret.get("RotationLambdaARN"):
        return response
    version = json.loads(response[2])["VersionId"]
    pending = secret["Versions"][version]
    pending.update(SecretString=None, SecretBinary=None, Stages=["AWSPENDING"])
    secret["Versions"] = {**before, version: pending}
    spawn_background(_call_function, secret, version, thread_name="layer-rotate")
    return response


def _call_function(secret, version):
    name = secret["RotationLambdaARN"].split(":function:")[1].split(":")[0]
    for step in STEPS:
        event = {"SecretId": secret["ARN"], "ClientRequestToken": version, "Step": step}
        if lambda_svc._execute_function(lambda_svc._functions[name], event).get("error"):
            return  # the function's log says why; the current value stays


@wrap(service, "_get_secret_value")
def get_secret_value(stock, request):
    response = stock(request)
    if succeeded(response):
        value = json.loads(response[2])
        if "SecretString" not in value and "SecretBinary" not in value:
            return error_response_json(
                "ResourceNotFoundException",
                f"Secrets Manager can't find the specified secret value: {value['VersionId']}",
                400,
            )
    return response


# Ending it -------------------------------------------------------------------
#
# Stock: CancelRotateSecret is unknown.
# AWS:   it turns rotation off and keeps the secret.
# Needed: aws_secretsmanager_secret_rotation calls it when destroyed.


@add_operation(service, "CancelRotateSecret")
def cancel_rotate_secret(request):
    _, secret = service._resolve(request.get("SecretId"))
    if secret is None:
        return error_response_json(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
            400,
        )
    secret["RotationEnabled"] = False
    secret.pop("RotationLambdaARN", None)
    secret.pop("RotationRules", None)
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"]})
