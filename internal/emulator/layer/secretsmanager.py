"""Secrets Manager: ending the rotation of a secret."""

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager as service

from layer.wrapping import add_operation

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
