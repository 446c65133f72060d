"""The services that speak JSON: one class each."""

import contextlib
import io
import pathlib
import time
import zipfile

import boto3

from layer.tests.support import ACCOUNT, REGION, GapCase, shared, subset

ROTATE = pathlib.Path(__file__).resolve().parents[4] / "constructs/secret/rotate.py"


def zipped(path):
    """A Lambda function's package of one file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.write(path, path.name)
    return packed.getvalue()


class ApplicationAutoScaling(GapCase):
    """Stock is asked once whether it has the service: it takes seconds to refuse a call."""

    TARGET = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/main/orders",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    TRACKING = {
        "TargetValue": 60.0,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
        },
    }

    def client(self, account=ACCOUNT):
        return shared()[0].client("application-autoscaling", account=account)

    def registered(self):
        client = self.client()
        client.register_scalable_target(
            **self.TARGET, MinCapacity=2, MaxCapacity=10, Tags={"Project": "p"}
        )
        return client

    def test_is_there(self):
        self.assert_closed(lambda emulator: "application-autoscaling" in emulator.services(), True)

    def test_keeps_targets_with_their_tags(self):
        client = self.registered()
        found = client.describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[self.TARGET["ResourceId"]]
        )["ScalableTargets"][0]
        tags = client.list_tags_for_resource(ResourceARN=found["ScalableTargetARN"])["Tags"]
        self.assertEqual(
            (found["MinCapacity"], found["MaxCapacity"], tags), (2, 10, {"Project": "p"})
        )

    def test_keeps_policies_and_their_arn_across_changes(self):
        client = self.registered()
        arns = set()
        for value in (50.0, 60.0):
            put = client.put_scaling_policy(
                **self.TARGET,
                PolicyName="cpu",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={**self.TRACKING, "TargetValue": value},
            )
            arns.add(put["PolicyARN"])
        found = client.describe_scaling_policies(ServiceNamespace="ecs", PolicyNames=["cpu"])
        self.assertEqual(len(arns), 1)
        self.assertEqual(
            [
                policy["TargetTrackingScalingPolicyConfiguration"]
                for policy in found["ScalingPolicies"]
            ],
            [self.TRACKING],
        )

    def test_drops_policies_and_actions_with_their_target(self):
        client = self.registered()
        client.put_scheduled_action(
            **self.TARGET,
            ScheduledActionName="night",
            Schedule="cron(0 22 * * ? *)",
            Timezone="Europe/Berlin",
            ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
        )
        before = client.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
        client.deregister_scalable_target(**self.TARGET)
        after = client.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
        policies = client.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
        self.assertEqual([action["Timezone"] for action in before], ["Europe/Berlin"])
        self.assertEqual(after + policies, [])

    def test_moves_a_service_into_the_bounds_of_its_target(self):
        ecs, client = shared()[0].client("ecs"), self.client()
        ecs.create_cluster(clusterName="bounds")
        ecs.register_task_definition(
            family="bounds", containerDefinitions=[{"name": "app", "image": "i", "memory": 128}]
        )
        ecs.create_service(
            cluster="bounds", serviceName="orders", taskDefinition="bounds", desiredCount=5
        )
        target = {**self.TARGET, "ResourceId": "service/bounds/orders"}
        seen = []
        for least, most in ((1, 6), (1, 3), (4, 6), (0, 0)):
            client.register_scalable_target(**target, MinCapacity=least, MaxCapacity=most)
            service = ecs.describe_services(cluster="bounds", services=["orders"])["services"][0]
            seen.append((service["desiredCount"], service["runningCount"]))
        self.assertEqual(seen, [(5, 5), (3, 3), (4, 4), (0, 0)])

    def test_refuses_policies_of_targets_that_do_not_exist(self):
        client = self.client(account="999999999999")
        with self.assertRaises(client.exceptions.ObjectNotFoundException):
            client.put_scaling_policy(**self.TARGET, PolicyName="cpu")


class SavedQueries(GapCase):
    def test_are_kept_listed_and_deleted(self):
        def observe(emulator):
            logs = emulator.client("logs")
            put = {"name": "app/errors", "queryString": "fields @message"}
            identifier = logs.put_query_definition(**put)["queryDefinitionId"]
            listed = logs.describe_query_definitions(queryDefinitionNamePrefix="app/")
            deleted = logs.delete_query_definition(queryDefinitionId=identifier)["success"]
            left = logs.describe_query_definitions(queryDefinitionNamePrefix="app/")
            found = [subset(d, put) == put for d in listed["queryDefinitions"]]
            return found, deleted, left["queryDefinitions"]

        self.assert_closed(observe, ([True], True, []))

    def test_of_one_account_or_region_are_not_seen_from_another(self):
        layered, _ = shared()
        own = layered.client("logs", account="222222222222")
        own.put_query_definition(name="own", queryString="fields @message")
        seen = {
            scope: len(
                layered.client("logs", *scope).describe_query_definitions()["queryDefinitions"]
            )
            for scope in (
                ("222222222222", REGION),
                ("222222222222", "us-east-1"),
                ("333333333333", REGION),
            )
        }
        self.assertEqual(list(seen.values()), [1, 0, 0], seen)


class DeliveryDestinations(GapCase):
    def test_without_a_format_have_none(self):
        def observe(emulator):
            logs = emulator.client("logs")
            group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/cdn"
            logs.put_delivery_destination(
                name="cdn",
                deliveryDestinationConfiguration={"destinationResourceArn": group},
            )
            found = logs.get_delivery_destination(name="cdn")["deliveryDestination"]
            return found.get("outputFormat")

        self.assert_closed(observe, None)


class WafLogging(GapCase):
    ACL = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/a/1"
    GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:aws-waf-logs-a"

    def test_is_kept_and_deleted(self):
        def observe(emulator):
            waf = emulator.client("wafv2")
            waf.put_logging_configuration(
                LoggingConfiguration={
                    "ResourceArn": self.ACL,
                    "LogDestinationConfigs": [self.GROUP],
                }
            )
            found = waf.get_logging_configuration(ResourceArn=self.ACL)["LoggingConfiguration"]
            waf.delete_logging_configuration(ResourceArn=self.ACL)
            try:
                waf.get_logging_configuration(ResourceArn=self.ACL)
            except waf.exceptions.WAFNonexistentItemException:
                return found["LogDestinationConfigs"]

        self.assert_closed(observe, [self.GROUP])


class RegistryScanning(GapCase):
    def test_is_basic_until_configured(self):
        rules = [
            {
                "scanFrequency": "CONTINUOUS_SCAN",
                "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}],
            }
        ]

        def observe(emulator):
            ecr = emulator.client("ecr")
            before = ecr.get_registry_scanning_configuration()["scanningConfiguration"]
            ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
            after = ecr.get_registry_scanning_configuration()["scanningConfiguration"]
            return before["scanType"], after["scanType"], after["rules"]

        self.assert_closed(observe, ("BASIC", "ENHANCED", rules))


class Images(GapCase):
    def test_that_do_not_exist_are_refused(self):
        def observe(emulator):
            ecr = emulator.client("ecr")
            ecr.create_repository(repositoryName="images")
            try:
                ecr.describe_images(repositoryName="images", imageIds=[{"imageTag": "v1.0.0"}])
            except ecr.exceptions.ImageNotFoundException as refused:
                return "v1.0.0" in str(refused)

        self.assert_closed(observe, True)


class Parameters(GapCase):
    def test_remember_who_changed_them(self):
        def observe(emulator):
            role = emulator.client("sts").assume_role(
                RoleArn=f"arn:aws:iam::{ACCOUNT}:role/operator", RoleSessionName="jane"
            )["Credentials"]
            ssm = boto3.client(
                "ssm",
                endpoint_url=emulator.url,
                region_name=REGION,
                aws_access_key_id=role["AccessKeyId"],
                aws_secret_access_key=role["SecretAccessKey"],
                aws_session_token=role["SessionToken"],
            )
            for value in ("v1", "v2"):
                ssm.put_parameter(
                    Name="/image", Value=value, Description=f"is {value}", Type="String", Overwrite=True
                )
            versions = ssm.get_parameter_history(Name="/image")["Parameters"][-2:]
            return [(v["Value"], v["Description"], v["LastModifiedUser"]) for v in versions]

        who = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/jane"
        self.assert_closed(observe, [("v1", "is v1", who), ("v2", "is v2", who)])


class SecretRotation(GapCase):
    def test_can_be_cancelled(self):
        def observe(emulator):
            client = emulator.client("secretsmanager")
            arn = client.create_secret(Name="rotated", SecretString="s")["ARN"]
            client.rotate_secret(
                SecretId=arn,
                RotationLambdaARN=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotate",
                RotationRules={"AutomaticallyAfterDays": 30},
            )
            client.cancel_rotate_secret(SecretId=arn)
            secret = client.describe_secret(SecretId=arn)
            return secret.get("RotationEnabled"), secret.get("RotationRules")

        self.assert_closed(observe, (False, None))


    def test_calls_the_function_that_knows_a_value(self):
        """By the very function that the platform deploys."""

        def observe(emulator):
            functions, client = emulator.client("lambda"), emulator.client("secretsmanager")
            arn = functions.create_function(
                FunctionName="rotate",
                Runtime="python3.13",
                Role=f"arn:aws:iam::{ACCOUNT}:role/rotate",
                Handler="rotate.handler",
                Code={"ZipFile": zipped(ROTATE)},
            )["FunctionArn"]
            client.create_secret(Name="unknown")
            client.rotate_secret(SecretId="unknown", RotationLambdaARN=arn)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with contextlib.suppress(client.exceptions.ResourceNotFoundException):
                    value = client.get_secret_value(SecretId="unknown")
                    return len(value.get("SecretString", ""))
                time.sleep(0.1)

        self.assert_closed(observe, 64)


class ManagedKeys(GapCase):
    ALIAS = "alias/aws/secretsmanager"

    def aliases(self, kms):
        return {alias["AliasName"]: alias for alias in kms.list_aliases()["Aliases"]}

    def test_come_into_being_when_first_described(self):
        def observe(emulator):
            kms = emulator.client("kms", account="444444444444")
            before = self.aliases(kms)[self.ALIAS].get("TargetKeyId")
            key = kms.describe_key(KeyId=self.ALIAS)["KeyMetadata"]
            after = self.aliases(kms)[self.ALIAS]["TargetKeyId"]
            return before, after == key["KeyId"], key["KeyManager"]

        self.assert_closed(observe, (None, True, "AWS"))


class OpenIdProviders(GapCase):
    def test_change_in_place(self):
        def observe(emulator):
            iam = emulator.client("iam")
            arn = iam.create_open_id_connect_provider(
                Url="https://token.example.com",
                ClientIDList=["old"],
                ThumbprintList=["a" * 40],
                Tags=[{"Key": "Stage", "Value": "test"}, {"Key": "Old", "Value": "x"}],
            )["OpenIDConnectProviderArn"]
            chosen = {"OpenIDConnectProviderArn": arn}
            iam.tag_open_id_connect_provider(**chosen, Tags=[{"Key": "Stage", "Value": "live"}])
            iam.untag_open_id_connect_provider(**chosen, TagKeys=["Old"])
            iam.update_open_id_connect_provider_thumbprint(**chosen, ThumbprintList=["b" * 40])
            iam.add_client_id_to_open_id_connect_provider(**chosen, ClientID="new")
            iam.remove_client_id_from_open_id_connect_provider(**chosen, ClientID="old")
            found = iam.get_open_id_connect_provider(**chosen)
            return subset(found, ("ClientIDList", "ThumbprintList", "Tags"))

        expected = {
            "ClientIDList": ["new"],
            "ThumbprintList": ["b" * 40],
            "Tags": [{"Key": "Stage", "Value": "live"}],
        }
        self.assert_closed(observe, expected)


class ServiceLinkedRoles(GapCase):
    def test_with_a_suffix_are_roles_of_their_own(self):
        def observe(emulator):
            iam = emulator.client("iam")
            made = [
                iam.create_service_linked_role(
                    AWSServiceName="autoscaling.amazonaws.com", Description="Launches", **more
                )["Role"]
                for more in ({}, {"CustomSuffix": "shop"}, {"CustomSuffix": "blog"})
            ]
            plain, shop, _ = [iam.get_role(RoleName=role["RoleName"])["Role"] for role in made]
            with self.assertRaises(iam.exceptions.InvalidInputException):
                iam.create_service_linked_role(
                    AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="shop"
                )
            return (
                shop["RoleName"].removeprefix(plain["RoleName"]),
                shop["Arn"].removeprefix(plain["Arn"]),
                shop["Description"],
            )

        self.assert_closed(observe, ("_shop", "_shop", "Launches"))


class ResponseHeadersPolicies(GapCase):
    def test_leave_out_what_was_not_configured(self):
        def observe(emulator):
            created = emulator.client("cloudfront").create_response_headers_policy(
                ResponseHeadersPolicyConfig={
                    "Name": "security",
                    "SecurityHeadersConfig": {"ContentTypeOptions": {"Override": True}},
                }
            )["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
            return sorted(created)

        self.assert_closed(observe, ["Comment", "Name", "SecurityHeadersConfig"])
