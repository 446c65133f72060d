from layer.tests.support import GapCase, subset

TOPIC = "arn:aws:sns:eu-west-1:111111111111:alarms"


def observe_alarm(emulator, keys, **parameters):
    emulator.query("monitoring", "PutMetricAlarm", EvaluationPeriods=1, **parameters)
    found = emulator.query(
        "monitoring", "DescribeAlarms", **{"AlarmNames.member.1": parameters["AlarmName"]}
    )
    return subset(found["DescribeAlarmsResult"]["MetricAlarms"][0], keys)


class Alarms(GapCase):
    def test_are_returned_as_they_were_put(self):
        expected = {
            "AlarmDescription": "cpu < 80 & rising",
            "Period": "60",
            "Statistic": "Average",
            "TreatMissingData": "notBreaching",
            "ActionsEnabled": "true",
            "Unit": "Percent",
            "Dimensions": [{"Name": "ClusterName", "Value": "c"}],
            "AlarmActions": [TOPIC],
            "InsufficientDataActions": [TOPIC],
        }

        def observe(emulator):
            return observe_alarm(
                emulator,
                expected,
                **{
                    "AlarmName": "cpu",
                    "AlarmDescription": "cpu < 80 & rising",
                    "Namespace": "AWS/ECS",
                    "MetricName": "CPUUtilization",
                    "Period": 60,
                    "Statistic": "Average",
                    "Unit": "Percent",
                    "Threshold": 80,
                    "TreatMissingData": "notBreaching",
                    "ComparisonOperator": "GreaterThanThreshold",
                    "Dimensions.member.1.Name": "ClusterName",
                    "Dimensions.member.1.Value": "c",
                    "AlarmActions.member.1": TOPIC,
                    "InsufficientDataActions.member.1": TOPIC,
                },
            )

        self.assert_closed(observe, expected)

    def test_on_metric_math_keep_every_query_and_invent_no_metric(self):
        expected = {
            "Metrics": [
                {"Id": "rate", "Expression": "100*errors", "ReturnData": "true"},
                {
                    "Id": "errors",
                    "ReturnData": "false",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/ApplicationELB",
                            "MetricName": "HTTPCode_Target_5XX_Count",
                            "Dimensions": [{"Name": "LoadBalancer", "Value": "a"}],
                        },
                        "Period": "60",
                        "Stat": "Sum",
                    },
                },
            ],
            "Threshold": "5.0",
            "Period": None,
            "Statistic": None,
            "MetricName": None,
        }
        metric = "Metrics.member.2.MetricStat.Metric"

        def observe(emulator):
            return observe_alarm(
                emulator,
                expected,
                **{
                    "AlarmName": "rate",
                    "Threshold": 5,
                    "ComparisonOperator": "GreaterThanThreshold",
                    "Metrics.member.1.Id": "rate",
                    "Metrics.member.1.Expression": "100*errors",
                    "Metrics.member.1.ReturnData": "true",
                    "Metrics.member.2.Id": "errors",
                    "Metrics.member.2.ReturnData": "false",
                    f"{metric}.Namespace": "AWS/ApplicationELB",
                    f"{metric}.MetricName": "HTTPCode_Target_5XX_Count",
                    f"{metric}.Dimensions.member.1.Name": "LoadBalancer",
                    f"{metric}.Dimensions.member.1.Value": "a",
                    "Metrics.member.2.MetricStat.Period": 60,
                    "Metrics.member.2.MetricStat.Stat": "Sum",
                },
            )

        self.assert_closed(observe, expected)

    def test_on_percentiles_have_no_statistic(self):
        expected = {
            "ExtendedStatistic": "p99",
            "Statistic": None,
            "EvaluateLowSampleCountPercentile": "ignore",
        }

        def observe(emulator):
            return observe_alarm(
                emulator,
                expected,
                AlarmName="p99",
                Namespace="AWS/ApplicationELB",
                MetricName="TargetResponseTime",
                Period=60,
                ExtendedStatistic="p99",
                EvaluateLowSampleCountPercentile="ignore",
                Threshold=1,
                ComparisonOperator="GreaterThanThreshold",
            )

        self.assert_closed(observe, expected)

    def test_on_anomalies_have_a_band_and_no_threshold(self):
        expected = {"ThresholdMetricId": "band", "Threshold": None}

        def observe(emulator):
            return observe_alarm(
                emulator,
                expected,
                **{
                    "AlarmName": "anomaly",
                    "ThresholdMetricId": "band",
                    "ComparisonOperator": "GreaterThanUpperThreshold",
                    "Metrics.member.1.Id": "band",
                    "Metrics.member.1.Expression": "ANOMALY_DETECTION_BAND(m, 2)",
                },
            )

        self.assert_closed(observe, expected)
