import itertools

from layer.tests.support import GapCase, subset

CONNECT = {"enabled": True, "namespace": "internal"}
_numbers = itertools.count()


def new_cluster(ecs):
    name = f"cluster-{next(_numbers)}"
    ecs.create_cluster(clusterName=name)
    return name


def new_task_definition(ecs):
    return ecs.register_task_definition(
        family="orders", containerDefinitions=[{"name": "app", "image": "i", "memory": 128}]
    )["taskDefinition"]["taskDefinitionArn"]


def new_service(ecs, cluster, **more):
    ecs.create_service(
        cluster=cluster,
        serviceName="orders",
        taskDefinition=new_task_definition(ecs),
        desiredCount=0,
        **more,
    )


def describe(ecs, cluster):
    return ecs.describe_services(cluster=cluster, services=["orders"])["services"][0]


class Clusters(GapCase):
    def test_remember_service_connect_defaults(self):
        def observe(emulator):
            ecs = emulator.client("ecs")
            name = f"cluster-{next(_numbers)}"
            ecs.create_cluster(clusterName=name, serviceConnectDefaults={"namespace": "internal"})
            cluster = ecs.describe_clusters(clusters=[name])["clusters"][0]
            return cluster.get("serviceConnectDefaults")

        self.assert_closed(observe, {"namespace": "internal"})


class Services(GapCase):
    def test_remember_zone_rebalancing_and_default_to_none(self):
        def observe(emulator):
            ecs = emulator.client("ecs")
            asked, silent = new_cluster(ecs), new_cluster(ecs)
            new_service(ecs, asked, availabilityZoneRebalancing="ENABLED")
            new_service(ecs, silent)
            ecs.update_service(cluster=asked, service="orders", desiredCount=0)
            return [
                describe(ecs, cluster).get("availabilityZoneRebalancing")
                for cluster in (asked, silent)
            ]

        self.assert_closed(observe, ["ENABLED", "DISABLED"])

    def test_remember_the_placement_strategy(self):
        spread = {"type": "spread", "field": "attribute:ecs.availability-zone"}
        packed = {"type": "binpack", "field": "memory"}

        def observe(emulator):
            ecs = emulator.client("ecs")
            cluster = new_cluster(ecs)
            new_service(ecs, cluster, placementStrategy=[spread])
            made = describe(ecs, cluster).get("placementStrategy")
            ecs.update_service(cluster=cluster, service="orders", placementStrategy=[spread, packed])
            return [made, describe(ecs, cluster).get("placementStrategy")]

        self.assert_closed(observe, [[spread], [spread, packed]])

    def test_pass_service_connect_on_to_every_new_deployment(self):
        def observe(emulator):
            ecs = emulator.client("ecs")
            cluster = new_cluster(ecs)
            new_service(ecs, cluster, serviceConnectConfiguration=CONNECT)
            ecs.update_service(
                cluster=cluster, service="orders", taskDefinition=new_task_definition(ecs)
            )
            deployments = describe(ecs, cluster)["deployments"]
            primary = next(d for d in deployments if d["status"] == "PRIMARY")
            return primary.get("serviceConnectConfiguration")

        self.assert_closed(observe, CONNECT)

    def test_change_tag_propagation_in_place(self):
        expected = {"propagateTags": "SERVICE", "enableECSManagedTags": True}

        def observe(emulator):
            ecs = emulator.client("ecs")
            cluster = new_cluster(ecs)
            new_service(ecs, cluster)
            ecs.update_service(cluster=cluster, service="orders", **expected)
            return subset(describe(ecs, cluster), expected)

        self.assert_closed(observe, expected)


class Releases(GapCase):
    def test_a_family_is_its_newest_active_revision(self):
        def observe(emulator):
            ecs = emulator.client("ecs")
            family = f"family-{next(_numbers)}"
            containers = [{"name": "app", "image": "i", "memory": 128}]
            for _ in range(3):
                made = ecs.register_task_definition(family=family, containerDefinitions=containers)
            ecs.deregister_task_definition(taskDefinition=made["taskDefinition"]["taskDefinitionArn"])
            newest = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
            return newest["revision"], newest["status"]

        self.assert_closed(observe, (2, "ACTIVE"))

    def test_tasks_are_started_and_stopped_by_the_deployment(self):
        def observe(emulator):
            ecs = emulator.client("ecs")
            cluster = new_cluster(ecs)
            new_service(ecs, cluster)
            ecs.update_service(cluster=cluster, service="orders", desiredCount=1)
            deployment = describe(ecs, cluster)["deployments"][0]["id"]
            [task] = ecs.list_tasks(cluster=cluster, serviceName="orders")["taskArns"]
            ecs.update_service(cluster=cluster, service="orders", desiredCount=0)
            stopped = ecs.describe_tasks(cluster=cluster, tasks=[task])["tasks"][0]
            reason = stopped["stoppedReason"].replace(deployment, "ID")
            return stopped["startedBy"] == deployment, stopped["stopCode"], reason

        reason = "Scaling activity initiated by (deployment ID)"
        self.assert_closed(observe, (True, "ServiceSchedulerInitiated", reason))

    def test_say_how_a_deployment_goes(self):
        def observe(emulator):
            ecs = emulator.client("ecs")
            cluster = new_cluster(ecs)
            new_service(ecs, cluster)
            deployment = describe(ecs, cluster)["deployments"][0]
            return deployment["rolloutStateReason"].replace(deployment["id"], "ID")

        self.assert_closed(observe, "ECS deployment ID completed.")


class CapacityProviders(GapCase):
    def test_drain_instances_unless_told_otherwise(self):
        def observe(emulator):
            ecs = emulator.client("ecs")
            drains = []
            for more in ({}, {"managedDraining": "ENABLED"}, {"managedDraining": "DISABLED"}):
                name = f"provider-{next(_numbers)}"
                group = f"arn:aws:autoscaling:eu-west-1:111111111111:autoScalingGroup:1:{name}"
                ecs.create_capacity_provider(
                    name=name, autoScalingGroupProvider={"autoScalingGroupArn": group, **more}
                )
                found = ecs.describe_capacity_providers(capacityProviders=[name])
                provider = found["capacityProviders"][0]["autoScalingGroupProvider"]
                drains.append(provider.get("managedDraining"))
            return drains

        self.assert_closed(observe, ["ENABLED", "ENABLED", "DISABLED"])
