"""ECR: the scanning configuration of the registry."""

from ministack.core.responses import get_account_id, json_response
from ministack.services import ecr as service

from layer.wrapping import add_operation, new_store

# Stock: the operations are unknown.
# AWS:   every registry has one configuration per region, at first BASIC
#        without rules.
# Needed: aws_ecr_registry_scanning_configuration.

_registries = new_store(service, "registry_scanning")
_THE_REGISTRY = "registry"


@add_operation(service, "PutRegistryScanningConfiguration")
def put_registry_scanning_configuration(request):
    configuration = {
        "scanType": request.get("scanType", "BASIC"),
        "rules": request.get("rules", []),
    }
    _registries[_THE_REGISTRY] = configuration
    return json_response({"registryScanningConfiguration": configuration})


@add_operation(service, "GetRegistryScanningConfiguration")
def get_registry_scanning_configuration(request):
    configuration = _registries.get(_THE_REGISTRY, {"scanType": "BASIC", "rules": []})
    return json_response({"registryId": get_account_id(), "scanningConfiguration": configuration})
