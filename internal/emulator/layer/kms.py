"""KMS: the keys AWS manages."""

import json
import re

from ministack.core.responses import json_response
from ministack.services import kms as service

from layer.wrapping import wrap

# Stock: there are no aliases alias/aws/*.
# AWS:   every region lists them from the start, without a key; the first use of
#        one, DescribeKey included, creates the key behind it.
# Needed: the data source aws_kms_alias with an AWS managed key.

MANAGED_SERVICES = (
    "backup",
    "dynamodb",
    "ebs",
    "ecr",
    "lambda",
    "rds",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
)
_MANAGED = "_managed_by_aws"
_MANAGED_ALIAS = re.compile(r"alias/aws/[a-z0-9]+$")


@wrap(service, "_list_aliases")
def list_aliases(stock, request):
    status, headers, body = stock(request)
    listing = json.loads(body)
    if request.get("KeyId"):
        return status, headers, body
    listed = {alias["AliasName"] for alias in listing["Aliases"]}
    for name in (f"alias/aws/{managed}" for managed in MANAGED_SERVICES):
        if name not in listed:
            listing["Aliases"].append({"AliasName": name, "AliasArn": service._alias_arn(name)})
    return json_response(listing)


@wrap(service, "_resolve_key")
def resolve_key(stock, reference):
    found = stock(reference)
    match = _MANAGED_ALIAS.search(reference or "")
    if found is not None or match is None:
        return found
    return _create_managed_key(match.group(0))


def _create_managed_key(alias):
    protected = alias.rpartition("/")[2]
    description = f"Default key that protects my {protected} data when no other key is defined"
    created = json.loads(service._create_key({"Description": description})[2])
    key = service._keys[created["KeyMetadata"]["KeyId"]]
    key[_MANAGED] = True
    alias_arn = service._alias_arn(alias)
    service._aliases[alias_arn] = key["KeyId"]
    service._stamp_alias(alias_arn, created=True)
    return key


@wrap(service, "_key_metadata")
def key_metadata(stock, key):
    metadata = stock(key)
    if key.get(_MANAGED):
        metadata["KeyManager"] = "AWS"
    return metadata
