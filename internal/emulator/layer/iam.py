"""IAM: changing OpenID Connect providers in place."""

from ministack.services import iam as service

from layer import query

# Stock: an OpenID Connect provider can be created, read and deleted only.
# AWS:   its tags, thumbprints and client ids can be changed.
# Needed: aws_iam_openid_connect_provider, whose every tag change is an update.


def _oidc_operation(name):
    """Decorator: registers a change of one OpenID Connect provider."""

    def decorate(change):
        def handler(params):
            arn = query.value(params, "OpenIDConnectProviderArn")
            provider = service._oidc_providers.get(arn)
            if provider is None:
                message = f"OpenIDConnect Provider not found for arn {arn}"
                return service._error(404, "NoSuchEntity", message)
            change(provider, params)
            return service._xml(200, f"{name}Response", "")

        service._IAM_HANDLERS[name] = handler
        return change

    return decorate


@_oidc_operation("TagOpenIDConnectProvider")
def tag_provider(provider, params):
    tags = {tag["Key"]: tag for tag in provider.get("Tags", [])}
    tags.update({tag["Key"]: tag for tag in service._extract_tags(params)})
    provider["Tags"] = list(tags.values())


@_oidc_operation("UntagOpenIDConnectProvider")
def untag_provider(provider, params):
    removed = query.members(params, "TagKeys")
    provider["Tags"] = [tag for tag in provider.get("Tags", []) if tag["Key"] not in removed]


@_oidc_operation("UpdateOpenIDConnectProviderThumbprint")
def update_thumbprints(provider, params):
    provider["ThumbprintList"] = query.members(params, "ThumbprintList")


@_oidc_operation("AddClientIDToOpenIDConnectProvider")
def add_client_id(provider, params):
    client_id = query.value(params, "ClientID")
    if client_id not in provider["ClientIDList"]:
        provider["ClientIDList"].append(client_id)


@_oidc_operation("RemoveClientIDFromOpenIDConnectProvider")
def remove_client_id(provider, params):
    removed = query.value(params, "ClientID")
    provider["ClientIDList"] = [known for known in provider["ClientIDList"] if known != removed]
