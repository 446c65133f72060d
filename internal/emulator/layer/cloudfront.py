"""CloudFront: response headers policies."""

from ministack.services import cloudfront as service

from layer.wrapping import wrap

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
