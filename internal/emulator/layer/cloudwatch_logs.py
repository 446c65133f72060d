"""CloudWatch Logs: saved Insights queries and delivery destinations."""

import time
import uuid

from ministack.core.responses import error_response_json, json_response
from ministack.services import cloudwatch_logs as service

from layer.wrapping import add_operation, new_store, succeeded, wrap

# Saved queries ---------------------------------------------------------------
#
# Stock: query definitions are unknown.
# AWS:   they are kept by id and listed by name prefix.
# Needed: aws_cloudwatch_query_definition.

_definitions = new_store(service, "query_definitions")


@add_operation(service, "PutQueryDefinition")
def put_query_definition(request):
    definition_id = request.get("queryDefinitionId")
    if definition_id and definition_id not in _definitions:
        return _not_found()
    definition_id = definition_id or str(uuid.uuid4())
    _definitions[definition_id] = {
        **request,
        "queryDefinitionId": definition_id,
        "lastModified": int(time.time() * 1000),
    }
    return json_response({"queryDefinitionId": definition_id})


@add_operation(service, "DescribeQueryDefinitions")
def describe_query_definitions(request):
    prefix = request.get("queryDefinitionNamePrefix") or ""
    found = [d for d in _definitions.values() if d["name"].startswith(prefix)]
    return json_response({"queryDefinitions": found})


@add_operation(service, "DeleteQueryDefinition")
def delete_query_definition(request):
    if _definitions.pop(request.get("queryDefinitionId"), None) is None:
        return _not_found()
    return json_response({"success": True})


def _not_found():
    return error_response_json(
        "ResourceNotFoundException", "The specified query definition does not exist.", 400
    )


# Delivery destinations -------------------------------------------------------
#
# Stock: a destination without an output format is given "json".
# AWS:   returns no format for it.
# Needed: aws_cloudwatch_log_delivery_destination without output_format, which
#        otherwise replaces itself and its deliveries in every plan.

_FORMAT = "outputFormat"


@wrap(service, "_put_delivery_destination")
def put_delivery_destination(stock, request):
    response = stock(request)
    if _FORMAT in request or not succeeded(response):
        return response
    destination = service._delivery_destinations[request["name"]]
    destination[_FORMAT] = None
    return json_response({"deliveryDestination": service._format_delivery_destination(destination)})


@wrap(service, "_format_delivery_destination")
def present_delivery_destination(stock, destination):
    return {key: kept for key, kept in stock(destination).items() if kept is not None}
