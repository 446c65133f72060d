"""CloudFront: response headers policies, and where viewers' requests go."""

import re

from ministack.core.iam_evaluator import pin_request_origin
from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import cloudfront as service
from ministack.services import s3

from layer.wrapping import wrap

_LOAD_BALANCER = re.compile(r"\.([a-z0-9-]+)\.elb\.amazonaws\.com$")

# What is not configured ------------------------------------------------------
#
# Stock: a response headers policy always carries the elements
#        CustomHeadersConfig and RemoveHeadersConfig, empty when not configured.
# AWS:   a part that was not configured is absent.
# Needed: aws_cloudfront_response_headers_policy reads an empty element as an
#        empty block and plans to remove it.

OPTIONAL_PARTS = (
    ("CustomHeadersConfig", "CustomHeaders"),
    ("RemoveHeadersConfig", "RemoveHeaders"),
)


@wrap(service, "_build_rhp_config_xml")
def response_headers_policy_xml(stock, parent, config):
    stock(parent, config)
    unset = {tag for tag, key in OPTIONAL_PARTS if not config.get(key)}
    for child in list(parent):
        if child.tag.rpartition("}")[2] in unset:
            parent.remove(child)


# Origins in a VPC ------------------------------------------------------------
#
# Stock: their ports and protocol are not looked up; a viewer's TLS would go on
#        to a load balancer that has none.
# AWS:   they are those of the VPC origin.
# Needed: the services are reached through the distribution.


@wrap(service, "_dataplane_origin")
def dataplane_origin(stock, element):
    origin = stock(element)
    config = service._find(element, "VpcOriginConfig")
    if config is not None:
        endpoint = service._vpc_origins[service._text(config, "VpcOriginId")]["VpcOriginEndpointConfig"]
        origin.update(
            http_port=int(endpoint["HTTPPort"]),
            https_port=int(endpoint["HTTPSPort"]),
            protocol_policy=endpoint["OriginProtocolPolicy"],
            read_timeout=int(service._text(config, "OriginReadTimeout") or 30),
        )
    return origin


# The site's bucket -----------------------------------------------------------
#
# Stock: CloudFront reads it as the viewer came, without TLS.
# AWS:   CloudFront always uses TLS towards S3.
# Needed: the bucket's policy refuses everything else.


@wrap(s3, "_cloudfront_origin_allows")
def origin_allows(stock, *arguments):
    pin_request_origin("", True)
    return stock(*arguments)


# Viewers' requests -----------------------------------------------------------
#
# Stock: a distribution and the load balancer behind it are looked for in the
#        account and region of the request, and a viewer's has neither.
# AWS:   their names are the world's.
# Needed: the site is served as it was deployed.


@wrap(service, "find_distribution_for_label")
def find_distribution(stock, label):
    for (account, _), distribution in service._distributions._data.items():
        if distribution["DomainName"] == f"{label}.cloudfront.net":
            set_request_account_id(account)
            return distribution
    return stock(label)


@wrap(service, "_registered_alb")
def registered_alb(stock, origin):
    if region := _LOAD_BALANCER.search(origin["domain_name"]):
        set_request_region(region[1])
    return stock(origin)
