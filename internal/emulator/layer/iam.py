"""IAM: OpenID Connect providers that change, service-linked roles with a suffix."""

from ministack.services import iam as service

from layer import query
from layer.wrapping import succeeded, wrap

# OpenID Connect providers ----------------------------------------------------
#
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


# Service-linked roles --------------------------------------------------------
#
# Stock: the suffix is dropped, so that a service has one role only, and so is
#        the description.
# AWS:   a role with a suffix is another role, named <role>_<suffix>.
# Needed: aws_iam_service_linked_role with custom_suffix, which is replaced
#        when its suffix is not read back.


@wrap(service, "_create_service_linked_role")
def create_service_linked_role(stock, params):
    before = dict(service._roles.items())
    suffix = query.value(params, "CustomSuffix")
    if suffix:
        # Out of the way of the one without a suffix.
        _remove(_service_linked(before, query.value(params, "AWSServiceName")))
    try:
        response = stock(params)
        if not succeeded(response):
            return response
        role = next(r for name, r in service._roles.items() if r is not before.get(name))
        _remove([role["RoleName"]])
    finally:
        service._roles.update(before)
    if suffix:
        role["RoleName"] += f"_{suffix}"
        role["Arn"] += f"_{suffix}"
    if role["RoleName"] in before:
        message = f"Service role name {role['RoleName']} has been taken in this account"
        return service._error(400, "InvalidInput", message)
    role["Description"] = query.value(params, "Description")
    service._roles[role["RoleName"]] = role
    shown = f"<Role>{service._role_xml(role['RoleName'])}</Role>"
    result = f"<CreateServiceLinkedRoleResult>{shown}</CreateServiceLinkedRoleResult>"
    return service._xml(200, "CreateServiceLinkedRoleResponse", result, ns="iam")


def _service_linked(roles, service_name):
    path = f"/aws-service-role/{service_name}/"
    return [name for name, role in roles.items() if role["Path"] == path]


def _remove(names):
    for name in names:
        service._roles.pop(name, None)
