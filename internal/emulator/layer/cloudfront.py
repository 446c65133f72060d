"""CloudFront: response headers policies, and where viewers' requests go."""

import re

from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import cloudfront as service

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
