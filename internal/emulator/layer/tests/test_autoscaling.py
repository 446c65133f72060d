import itertools

from layer.tests.support import GapCase, subset

LAUNCHER = (
    "arn:aws:iam::111111111111:role/aws-service-role/autoscaling.amazonaws.com/"
    "AWSServiceRoleForAutoScaling_shop"
)
MAINTENANCE = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110}
MIXED = {
    "LaunchTemplate": {
        "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1", "Version": "1"},
        "Overrides": [{"InstanceType": "m6i.large"}, {"InstanceType": "m7i.large"}],
    },
    "InstancesDistribution": {"OnDemandBaseCapacity": 0, "SpotAllocationStrategy": "lowest-price"},
}
_numbers = itertools.count()


def new_group(autoscaling, **more):
    name = f"group-{next(_numbers)}"
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name, MinSize=0, MaxSize=2, AvailabilityZones=["eu-west-1a"], **more
    )
    return name


def describe(autoscaling, name):
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return found["AutoScalingGroups"][0]


class Groups(GapCase):
    def test_remember_how_they_launch_and_replace_instances(self):
        expected = {
            "CapacityRebalance": True,
            "DefaultInstanceWarmup": 120,
            "InstanceMaintenancePolicy": MAINTENANCE,
            "MaxInstanceLifetime": 86400,
            "MixedInstancesPolicy": MIXED,
            "ServiceLinkedRoleARN": LAUNCHER,
        }

        def observe(emulator):
            autoscaling = emulator.client("autoscaling")
            name = new_group(autoscaling, **expected)
            return subset(describe(autoscaling, name), expected)

        self.assert_closed(observe, expected)

    def test_change_it_in_place(self):
        expected = {
            "CapacityRebalance": False,
            "InstanceMaintenancePolicy": {**MAINTENANCE, "MaxHealthyPercentage": 120},
            "MaxInstanceLifetime": 172800,
            "MixedInstancesPolicy": {**MIXED, "InstancesDistribution": {"OnDemandBaseCapacity": 1}},
            "NewInstancesProtectedFromScaleIn": True,
        }

        def observe(emulator):
            autoscaling = emulator.client("autoscaling")
            name = new_group(autoscaling, CapacityRebalance=True, MixedInstancesPolicy=MIXED)
            autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, **expected)
            return subset(describe(autoscaling, name), expected)

        self.assert_closed(observe, expected)

    def test_say_which_metrics_they_report(self):
        def observe(emulator):
            autoscaling = emulator.client("autoscaling")
            name = new_group(autoscaling)
            autoscaling.enable_metrics_collection(
                AutoScalingGroupName=name,
                Granularity="1Minute",
                Metrics=["GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity"],
            )
            autoscaling.disable_metrics_collection(
                AutoScalingGroupName=name, Metrics=["GroupMaxSize"]
            )
            reported = describe(autoscaling, name)["EnabledMetrics"]
            return [(metric["Metric"], metric["Granularity"]) for metric in reported]

        self.assert_closed(
            observe, [("GroupDesiredCapacity", "1Minute"), ("GroupMinSize", "1Minute")]
        )
