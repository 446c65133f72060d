"""EC2 Auto Scaling: what a group forgets, and its metrics."""

from ministack.services import autoscaling as service

from layer import query
from layer.wrapping import succeeded, wrap

# Settings of a group ---------------------------------------------------------
#
# Stock: a group loses its mixed instances policy, maintenance policy, maximum
#        instance lifetime, warm-up, capacity rebalancing and service-linked
#        role; an update also loses the protection from scaling in.
# AWS:   DescribeAutoScalingGroups returns them all.
# Needed: aws_autoscaling_group plans a change of each otherwise.

SETTINGS = (
    "CapacityRebalance",
    "DefaultInstanceWarmup",
    "MaxInstanceLifetime",
    "ServiceLinkedRoleARN",
)
POLICIES = ("InstanceMaintenancePolicy", "MixedInstancesPolicy")
METRICS = "_EnabledMetrics"


@wrap(service, "_create_asg")
def create_group(stock, params):
    return _remember(params, stock(params))


@wrap(service, "_update_asg")
def update_group(stock, params):
    response = _remember(params, stock(params))
    if succeeded(response) and query.value(params, "NewInstancesProtectedFromScaleIn"):
        group = _group(params)
        protected = query.flag(params, "NewInstancesProtectedFromScaleIn")
        group["NewInstancesProtectedFromScaleIn"] = protected
    return response


def _remember(params, response):
    if not succeeded(response):
        return response
    group = _group(params)
    for name in SETTINGS:
        if sent := query.value(params, name):
            group[name] = sent
    for name in POLICIES:
        if sent := service._parse_nested(params, name):
            group[name] = sent
    return response


def _group(params):
    return service._asgs.get(query.value(params, "AutoScalingGroupName"))


@wrap(service, "_describe_asgs")
def describe_groups(stock, params):
    status, headers, body = stock(params)
    text = body.decode()
    for group in service._asgs.values():
        arn = query.element("AutoScalingGroupARN", group["AutoScalingGroupARN"])
        text = text.replace(arn, arn + _details(group))
    return status, headers, text.encode()


def _details(group):
    details = {name: group[name] for name in SETTINGS + POLICIES if group.get(name)}
    if group.get(METRICS):
        details["EnabledMetrics"] = [
            {"Metric": name, "Granularity": "1Minute"} for name in group[METRICS]
        ]
    return query.render(details)


# Metrics of a group ----------------------------------------------------------
#
# Stock: they can be neither enabled nor disabled.
# AWS:   a group reports the metrics that were enabled, and says which.
# Needed: aws_autoscaling_group with enabled_metrics.


def _metrics_operation(name):
    """Decorator: registers a change of which metrics a group reports."""

    def decorate(change):
        def handler(params):
            group = _group(params)
            if group is None:
                return service._error("ValidationError", "AutoScalingGroup name not found")
            group[METRICS] = sorted(
                change(set(group.get(METRICS, [])), set(query.members(params, "Metrics")))
            )
            return service._xml(200, f"{name}Response", "")

        service._ACTION_MAP[name] = handler
        return change

    return decorate


@_metrics_operation("EnableMetricsCollection")
def enable_metrics(enabled, named):
    return enabled | named


@_metrics_operation("DisableMetricsCollection")
def disable_metrics(enabled, named):
    return enabled - named if named else set()
