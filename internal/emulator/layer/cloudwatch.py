"""CloudWatch: metric alarms over the Query protocol, which the provider speaks."""

import json
import time

from ministack.services import cloudwatch as service

from layer import query
from layer.wrapping import succeeded, wrap

# Storing alarms --------------------------------------------------------------
#
# Stock: metric math, the anomaly band, the low-sample rule and the actions for
#        insufficient data are dropped; what was not sent is filled in (a
#        statistic beside a percentile, a threshold beside an anomaly band, a
#        period beside metric math).
# AWS:   an alarm is returned as it was put.
# Needed: aws_cloudwatch_metric_alarm compares every one of them.

UNSENT_DEFAULTS = ("Statistic", "Period", "Threshold", "MetricName", "Namespace")


@wrap(service, "_put_metric_alarm")
def put_metric_alarm(stock, params, cbor_data, is_cbor, is_json=False):
    response = stock(params, cbor_data, is_cbor, is_json)
    alarm = service._alarms.get(query.value(params, "AlarmName"))
    if is_cbor or is_json or alarm is None or not succeeded(response):
        return response
    for field in ("ThresholdMetricId", "EvaluateLowSampleCountPercentile"):
        if sent := query.value(params, field):
            alarm[field] = sent
    for field in UNSENT_DEFAULTS:
        if not query.value(params, field):
            alarm.pop(field, None)
    if metrics := query.structures(params, "Metrics"):
        alarm["Metrics"] = metrics
    alarm["InsufficientDataActions"] = query.members(params, "InsufficientDataActions")
    return response


# Reading alarms --------------------------------------------------------------
#
# Stock: DescribeAlarms over the Query protocol returns a third of the fields
#        and does not escape them.
# AWS:   all fields.
# Needed: aws_cloudwatch_metric_alarm, which otherwise plans to set period,
#        statistic, dimensions, actions and treat_missing_data again.


@wrap(service, "_describe_alarms")
def describe_alarms(stock, params, cbor_data, is_cbor, is_json=False):
    if is_cbor or is_json:
        return stock(params, cbor_data, is_cbor, is_json)
    request = {
        "AlarmNames": query.members(params, "AlarmNames"),
        "AlarmTypes": query.members(params, "AlarmTypes"),
    }
    for field in ("AlarmNamePrefix", "StateValue", "MaxRecords", "NextToken"):
        if sent := query.value(params, field):
            request[field] = sent
    response = stock({}, request, False, True)
    if not succeeded(response):
        return stock(params, cbor_data, is_cbor, is_json)
    found = json.loads(response[2])
    for kind in ("MetricAlarms", "CompositeAlarms"):
        found[kind] = [_presentable(alarm) for alarm in found[kind]]
    return service._xml(200, "DescribeAlarmsResponse", query.element("DescribeAlarmsResult", found))


def _presentable(alarm):
    """The alarm without empty members, its times as the Query protocol writes them."""
    shown = {
        field: content for field, content in alarm.items() if content not in (None, "", [], {})
    }
    for field, content in shown.items():
        if field.endswith("Timestamp") and isinstance(content, (int, float)):
            shown[field] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(content))
    return shown
