"""EC2: flow logs, interface endpoints, security group rules and launch templates."""

import re

from ministack.core.responses import get_region
from ministack.services import ec2 as service

from layer import query
from layer.wrapping import succeeded, wrap

DEFAULT_FLOW_LOG_FORMAT = " ".join(
    f"${{{field}}}"
    for field in (
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol "
        "packets bytes start end action log-status"
    ).split()
)


# Flow logs -------------------------------------------------------------------
#
# Stock: the delivery role, aggregation interval, record format, log group and
#        tags of a flow log are dropped.
# AWS:   DescribeFlowLogs returns them all, with defaults for those not given,
#        and takes tags for the resource type vpc-flow-log.
# Needed: aws_flow_log replaces itself when any of them differs on reading.


@wrap(service, "_create_flow_logs")
def create_flow_logs(stock, params):
    before = set(service._flow_logs.keys())
    response = stock(params)
    for flow_log_id in set(service._flow_logs.keys()) - before:
        service._flow_logs[flow_log_id].update(
            DeliverLogsPermissionArn=query.value(params, "DeliverLogsPermissionArn"),
            MaxAggregationInterval=query.value(params, "MaxAggregationInterval", "600"),
            LogFormat=query.value(params, "LogFormat", DEFAULT_FLOW_LOG_FORMAT),
            LogGroupName=_log_group_name(params),
        )
        service._parse_tag_specs(params, "vpc-flow-log", flow_log_id)
    return response


def _log_group_name(params):
    destination = query.value(params, "LogDestination")
    if ":log-group:" in destination:
        return destination.split(":log-group:")[1].removesuffix(":*")
    return query.value(params, "LogGroupName")


@wrap(service, "_describe_flow_logs")
def describe_flow_logs(stock, params):
    status, headers, body = stock(params)
    text = body.decode()
    for flow_log in service._flow_logs.values():
        id_element = query.element("flowLogId", flow_log["FlowLogId"])
        text = text.replace(id_element, id_element + _flow_log_details(flow_log))
    return status, headers, text.encode()


def _flow_log_details(flow_log):
    details = (
        ("deliverLogsPermissionArn", "DeliverLogsPermissionArn"),
        ("maxAggregationInterval", "MaxAggregationInterval"),
        ("logFormat", "LogFormat"),
        ("logGroupName", "LogGroupName"),
    )
    return "".join(query.element(tag, flow_log[key]) for tag, key in details if flow_log.get(key))


# VPC endpoints ---------------------------------------------------------------
#
# Stock: security groups, private DNS, the policy and the DNS entries of an
#        endpoint are dropped, on creating and on modifying.
# AWS:   DescribeVpcEndpoints returns them; an interface endpoint without groups
#        gets the VPC's default group; an endpoint without a policy allows all.
# Needed: aws_vpc_endpoint plans a change for each of them otherwise.

FULL_ACCESS_POLICY = (
    '{"Version":"2008-10-17","Statement":'
    '[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
)
ENDPOINT_HOSTED_ZONE = "Z7HUB22UULQXV"


@wrap(service, "_create_vpc_endpoint")
def create_vpc_endpoint(stock, params):
    before = set(service._vpc_endpoints.keys())
    status, headers, body = stock(params)
    for endpoint_id in set(service._vpc_endpoints.keys()) - before:
        endpoint = service._vpc_endpoints[endpoint_id]
        groups = service._parse_member_list(params, "SecurityGroupId")
        if _is_interface(endpoint) and not groups:
            groups = _default_groups(endpoint["VpcId"])
        endpoint.update(
            SecurityGroupIds=groups,
            PrivateDnsEnabled=query.flag(params, "PrivateDnsEnabled"),
            PolicyDocument=query.value(params, "PolicyDocument", FULL_ACCESS_POLICY),
        )
        return service._xml(
            status,
            "CreateVpcEndpointResponse",
            service._vpce_fields_xml(endpoint, tag="vpcEndpoint"),
        )
    return status, headers, body


@wrap(service, "_modify_vpc_endpoint")
def modify_vpc_endpoint(stock, params):
    response = stock(params)
    endpoint = service._vpc_endpoints.get(query.value(params, "VpcEndpointId"))
    if endpoint is None or not succeeded(response):
        return response
    removed = service._parse_member_list(params, "RemoveSecurityGroupId")
    added = service._parse_member_list(params, "AddSecurityGroupId")
    kept = [group for group in endpoint.get("SecurityGroupIds", []) if group not in removed]
    endpoint["SecurityGroupIds"] = kept + [group for group in added if group not in kept]
    if query.value(params, "PrivateDnsEnabled"):
        endpoint["PrivateDnsEnabled"] = query.flag(params, "PrivateDnsEnabled")
    if query.flag(params, "ResetPolicy"):
        endpoint["PolicyDocument"] = FULL_ACCESS_POLICY
    return response


@wrap(service, "_vpce_fields_xml")
def endpoint_xml(stock, endpoint, tag="item"):
    closing = f"</{tag}>"
    text = stock(endpoint, tag).rstrip().removesuffix(closing)
    details = query.element("privateDnsEnabled", endpoint.get("PrivateDnsEnabled", False))
    details += f"<groupSet>{_group_items(endpoint.get('SecurityGroupIds', []))}</groupSet>"
    if endpoint.get("PolicyDocument"):
        details += query.element("policyDocument", endpoint["PolicyDocument"])
    if _is_interface(endpoint):
        details += _interface_details(endpoint)
    return text + details + closing


def _is_interface(endpoint):
    return endpoint["VpcEndpointType"] == "Interface"


def _default_groups(vpc_id):
    return [
        group["GroupId"]
        for group in service._security_groups.values()
        if group["VpcId"] == vpc_id and group["GroupName"] == "default"
    ]


def _group_items(group_ids):
    items = ""
    for group_id in group_ids:
        name = service._security_groups.get(group_id, {}).get("GroupName", "")
        items += query.element("item", {"groupId": group_id, "groupName": name})
    return items


def _interface_details(endpoint):
    short_name = endpoint["ServiceName"].split(".", 3)[-1]
    host = f"{endpoint['VpcEndpointId']}.{short_name}.{get_region()}.vpce.amazonaws.com"
    return (
        "<ipAddressType>ipv4</ipAddressType>"
        "<dnsOptions><dnsRecordIpType>ipv4</dnsRecordIpType></dnsOptions>"
        f"<dnsEntrySet><item><dnsName>{host}</dnsName>"
        f"<hostedZoneId>{ENDPOINT_HOSTED_ZONE}</hostedZoneId></item></dnsEntrySet>"
    )


# Rules to and from prefix lists ----------------------------------------------
#
# Stock: PrefixListIds of a rule are not read from the request and not returned
#        by DescribeSecurityGroupRules; two such rules with the same ports
#        become one.
# AWS:   they are kept like address ranges.
# Needed: aws_vpc_security_group_ingress_rule and _egress_rule with
#        prefix_list_id (CloudFront's origin-facing list, the S3 endpoint): the
#        next plan fails, as a rule without a peer is read back.


@wrap(service, "_parse_ip_permissions")
def parse_ip_permissions(stock, params, prefix):
    rules = stock(params, prefix)
    for index, rule in enumerate(rules, start=1):
        lists = f"{prefix}.{index}.PrefixListIds"
        position = 1
        while list_id := query.value(params, f"{lists}.{position}.PrefixListId"):
            entry = {"PrefixListId": list_id}
            if description := query.value(params, f"{lists}.{position}.Description"):
                entry["Description"] = description
            rule["PrefixListIds"].append(entry)
            position += 1
    return rules


@wrap(service, "_sg_rule_xml")
def security_group_rule_xml(stock, group_id, rule, is_egress=False):
    text = stock(group_id, rule, is_egress=is_egress)
    other_peers = rule.get("IpRanges") or rule.get("Ipv6Ranges") or rule.get("UserIdGroupPairs")
    if other_peers:
        return text
    for entry in rule.get("PrefixListIds", []):
        list_element = query.element("prefixListId", entry["PrefixListId"])
        text = text.replace("</toPort>", f"</toPort>{list_element}", 1)
    return text


# Revoking the rule that allows everything ------------------------------------
#
# Stock: rules are compared field by field, so ports 0 to 0 do not match a rule
#        for protocol -1 that was stored without ports, and nothing is revoked.
# AWS:   ports mean nothing when the protocol is -1.
# Needed: aws_security_group and aws_default_security_group revoke the egress
#        rule every new group starts with, and name ports 0 and 0.


@wrap(service, "_strip_descriptions")
def comparable_rule(stock, rule):
    comparable = stock(rule)
    for peers in ("PrefixListIds", "UserIdGroupPairs"):
        comparable[peers] = [_without_description(peer) for peer in comparable.get(peers, [])]
    if comparable.get("IpProtocol") == "-1":
        comparable.pop("FromPort", None)
        comparable.pop("ToPort", None)
    return comparable


def _without_description(peer):
    return {key: kept for key, kept in peer.items() if key != "Description"}


# Launch templates ------------------------------------------------------------
#
# Stock: the key of a volume is dropped, and the groups of a network interface
#        are returned under a name that SDKs do not read.
# AWS:   both are returned as they were sent.
# Needed: aws_launch_template adds a version for each otherwise.


GROUP_SET = re.compile("<groupSet>.*?</groupSet>")


@wrap(service, "_parse_lt_data")
def parse_launch_template(stock, params, prefix="LaunchTemplateData"):
    template = stock(params, prefix)
    for index, mapping in enumerate(template.get("BlockDeviceMappings", []), start=1):
        if key := query.value(params, f"{prefix}.BlockDeviceMapping.{index}.Ebs.KmsKeyId"):
            mapping.setdefault("Ebs", {})["KmsKeyId"] = key
    return template


@wrap(service, "_lt_data_xml")
def launch_template_xml(stock, template):
    volumes = [m["Ebs"] for m in template.get("BlockDeviceMappings", []) if "Ebs" in m]
    *before, after = stock(template).split("</ebs>")
    text = "".join(
        part + query.render({"kmsKeyId": volume.get("KmsKeyId")}) + "</ebs>"
        for part, volume in zip(before, volumes, strict=True)
    )
    return GROUP_SET.sub(lambda groups: groups[0].replace("item>", "groupId>"), text + after)
