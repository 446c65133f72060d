import json

from layer.ec2 import DEFAULT_FLOW_LOG_FORMAT, ENDPOINT_HOSTED_ZONE
from layer.tests.support import ACCOUNT, REGION, GapCase, subset

ROLE = f"arn:aws:iam::{ACCOUNT}:role/flow"
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/vpc/flow"


def new_vpc(ec2):
    return ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


def new_group(ec2, vpc_id, name="service"):
    return ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc_id)["GroupId"]


class FlowLogs(GapCase):
    def test_remember_how_they_are_delivered(self):
        def observe(emulator):
            ec2 = emulator.client("ec2")
            created = ec2.create_flow_logs(
                ResourceIds=[new_vpc(ec2)],
                ResourceType="VPC",
                TrafficType="ALL",
                LogDestinationType="cloud-watch-logs",
                LogDestination=GROUP_ARN,
                DeliverLogsPermissionArn=ROLE,
                MaxAggregationInterval=60,
            )
            found = ec2.describe_flow_logs(FlowLogIds=created["FlowLogIds"])["FlowLogs"]
            return subset(found[0], expected)

        expected = {
            "DeliverLogsPermissionArn": ROLE,
            "MaxAggregationInterval": 60,
            "LogGroupName": "/vpc/flow",
            "LogFormat": DEFAULT_FLOW_LOG_FORMAT,
        }
        self.assert_closed(observe, expected)

    def test_keep_the_tags_they_are_created_with(self):
        def observe(emulator):
            ec2 = emulator.client("ec2")
            created = ec2.create_flow_logs(
                ResourceIds=[new_vpc(ec2)],
                ResourceType="VPC",
                TrafficType="ALL",
                LogGroupName="/vpc/flow",
                TagSpecifications=[
                    {
                        "ResourceType": "vpc-flow-log",
                        "Tags": [{"Key": "Project", "Value": "p"}],
                    }
                ],
            )
            found = ec2.describe_flow_logs(FlowLogIds=created["FlowLogIds"])["FlowLogs"]
            return found[0].get("Tags")

        self.assert_closed(observe, [{"Key": "Project", "Value": "p"}])


class VpcEndpoints(GapCase):
    def test_of_type_interface_remember_groups_dns_and_policy(self):
        policy = json.dumps({"Version": "2012-10-17", "Statement": []})

        def observe(emulator):
            ec2 = emulator.client("ec2")
            vpc_id = new_vpc(ec2)
            group_id = new_group(ec2, vpc_id)
            endpoint = ec2.create_vpc_endpoint(
                VpcId=vpc_id,
                ServiceName=f"com.amazonaws.{REGION}.ecr.api",
                VpcEndpointType="Interface",
                SecurityGroupIds=[group_id],
                PrivateDnsEnabled=True,
                PolicyDocument=policy,
            )["VpcEndpoint"]
            groups = [group["GroupId"] == group_id for group in endpoint.get("Groups", [])]
            names = [
                entry["DnsName"].removeprefix(endpoint["VpcEndpointId"])
                for entry in endpoint.get("DnsEntries", [])
            ]
            return groups, names, subset(endpoint, ("PrivateDnsEnabled", "PolicyDocument"))

        expected = (
            [True],
            [f".ecr.api.{REGION}.vpce.amazonaws.com"],
            {"PrivateDnsEnabled": True, "PolicyDocument": policy},
        )
        self.assert_closed(observe, expected)

    def test_without_groups_get_the_default_group_of_the_vpc(self):
        def observe(emulator):
            ec2 = emulator.client("ec2")
            endpoint = ec2.create_vpc_endpoint(
                VpcId=new_vpc(ec2),
                ServiceName=f"com.amazonaws.{REGION}.logs",
                VpcEndpointType="Interface",
            )["VpcEndpoint"]
            zones = {entry["HostedZoneId"] for entry in endpoint.get("DnsEntries", [])}
            return [group["GroupName"] for group in endpoint.get("Groups", [])], zones

        self.assert_closed(observe, (["default"], {ENDPOINT_HOSTED_ZONE}))

    def test_of_type_gateway_allow_everything_unless_told(self):
        def observe(emulator):
            ec2 = emulator.client("ec2")
            endpoint = ec2.create_vpc_endpoint(
                VpcId=new_vpc(ec2), ServiceName=f"com.amazonaws.{REGION}.s3"
            )["VpcEndpoint"]
            return json.loads(endpoint["PolicyDocument"])["Statement"][0]["Effect"]

        self.assert_closed(observe, "Allow")

    def test_change_their_groups_in_place(self):
        def observe(emulator):
            ec2 = emulator.client("ec2")
            vpc_id = new_vpc(ec2)
            old, new = new_group(ec2, vpc_id, "old"), new_group(ec2, vpc_id, "new")
            endpoint_id = ec2.create_vpc_endpoint(
                VpcId=vpc_id,
                ServiceName=f"com.amazonaws.{REGION}.logs",
                VpcEndpointType="Interface",
                SecurityGroupIds=[old],
            )["VpcEndpoint"]["VpcEndpointId"]
            ec2.modify_vpc_endpoint(
                VpcEndpointId=endpoint_id,
                AddSecurityGroupIds=[new],
                RemoveSecurityGroupIds=[old],
                PrivateDnsEnabled=True,
            )
            found = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"][0]
            groups = [group["GroupName"] for group in found.get("Groups", [])]
            return groups, found.get("PrivateDnsEnabled")

        self.assert_closed(observe, (["new"], True))


class SecurityGroupRules(GapCase):
    def test_name_the_prefix_list_they_allow(self):
        def observe(emulator):
            ec2 = emulator.client("ec2")
            group_id = new_group(ec2, new_vpc(ec2))
            for list_id in ("pl-1", "pl-2"):
                ec2.authorize_security_group_ingress(
                    GroupId=group_id,
                    IpPermissions=[
                        {
                            "IpProtocol": "tcp",
                            "FromPort": 80,
                            "ToPort": 80,
                            "PrefixListIds": [{"PrefixListId": list_id, "Description": "d"}],
                        }
                    ],
                )
            rules = ec2.describe_security_group_rules(
                Filters=[{"Name": "group-id", "Values": [group_id]}]
            )["SecurityGroupRules"]
            ingress = [rule for rule in rules if not rule["IsEgress"]]
            return sorted((rule["PrefixListId"], rule["Description"]) for rule in ingress)

        self.assert_closed(observe, [("pl-1", "d"), ("pl-2", "d")])

    def test_for_all_traffic_are_revoked_whatever_the_ports(self):
        def observe(emulator):
            ec2 = emulator.client("ec2")
            group_id = new_group(ec2, new_vpc(ec2))
            ec2.revoke_security_group_egress(
                GroupId=group_id,
                IpPermissions=[
                    {
                        "IpProtocol": "-1",
                        "FromPort": 0,
                        "ToPort": 0,
                        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                    }
                ],
            )
            group = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
            return group["IpPermissionsEgress"]

        self.assert_closed(observe, [])


class LaunchTemplates(GapCase):
    def test_remember_keys_of_volumes_and_groups_of_interfaces(self):
        expected = {
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": "key-1"}},
                {"DeviceName": "/dev/sdb"},
                {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 8}},
                {"DeviceName": "/dev/sdd", "Ebs": {"KmsKeyId": "key-2"}},
            ],
            "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": ["sg-1", "sg-2"]}],
        }

        def observe(emulator):
            ec2 = emulator.client("ec2")
            made = ec2.create_launch_template(
                LaunchTemplateName="instances", LaunchTemplateData=expected
            )["LaunchTemplate"]
            found = ec2.describe_launch_template_versions(
                LaunchTemplateId=made["LaunchTemplateId"], Versions=["1"]
            )
            return found["LaunchTemplateVersions"][0]["LaunchTemplateData"]

        self.assert_closed(observe, expected)
