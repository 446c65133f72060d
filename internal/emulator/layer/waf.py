"""WAF: logging configurations of web ACLs."""

from ministack.core.responses import error_response_json, json_response
from ministack.services import waf as service

from layer.wrapping import add_operation, new_store

# Stock: the operations are unknown.
# AWS:   a web ACL has at most one logging configuration.
# Needed: aws_wafv2_web_acl_logging_configuration.

_configurations = new_store(service, "logging_configurations")


@add_operation(service, "PutLoggingConfiguration")
def put_logging_configuration(request):
    configuration = {"ManagedByFirewallManager": False, **request["LoggingConfiguration"]}
    _configurations[configuration["ResourceArn"]] = configuration
    return json_response({"LoggingConfiguration": configuration})


@add_operation(service, "GetLoggingConfiguration")
def get_logging_configuration(request):
    configuration = _configurations.get(request.get("ResourceArn"))
    if configuration is None:
        return _not_found()
    return json_response({"LoggingConfiguration": configuration})


@add_operation(service, "ListLoggingConfigurations")
def list_logging_configurations(request):
    return json_response({"LoggingConfigurations": _configurations.values()})


@add_operation(service, "DeleteLoggingConfiguration")
def delete_logging_configuration(request):
    if _configurations.pop(request.get("ResourceArn"), None) is None:
        return _not_found()
    return json_response({})


def _not_found():
    return error_response_json(
        "WAFNonexistentItemException",
        "AWS WAF couldn't perform the operation because your resource doesn't exist.",
        400,
    )
