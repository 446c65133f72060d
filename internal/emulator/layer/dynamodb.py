"""A conditional write that arrives twice.

Stock: as AWS, refuses the second one, also when it is the first one sent
       again by the SDK because the answer got lost.
Needed: twice, on a busy machine, Terraform was refused a lock which it held
        itself. That an answer got lost is inferred, not seen. Terraform's
        locks have an id of their own, so an item that is already there to the
        letter is the same request; another holder's is refused as ever.
"""

import json

from ministack.services import dynamodb

from layer.wrapping import succeeded, wrap


@wrap(dynamodb, "_put_item")
def put_item(stock, data):
    response = stock(data)
    if succeeded(response) or "ConditionExpression" not in data:
        return response
    if b"ConditionalCheckFailedException" not in _bytes(response[2]):
        return response
    return _success() if _is_there(data) else response


def _is_there(data):
    """Whether the table holds exactly this item."""
    table = dynamodb._tables.get(dynamodb._normalize_table_name(data["TableName"]))
    key = {part["AttributeName"]: data["Item"][part["AttributeName"]] for part in table["KeySchema"]}
    found = dynamodb._get_item({"TableName": data["TableName"], "Key": key, "ConsistentRead": True})
    return succeeded(found) and json.loads(found[2]).get("Item") == data["Item"]


def _success():
    return 200, {"Content-Type": "application/x-amz-json-1.0"}, b"{}"


def _bytes(body):
    return body if isinstance(body, bytes) else body.encode()
