// Package monitoring turns rows of data into alarms and one dashboard.
//
//	constructs' Alarms() ----> aws_cloudwatch_metric_alarm ---> aws_sns_topic ---> subscriptions
//	constructs' Graphs() ----> aws_cloudwatch_dashboard
//
// Every construct that can go wrong says what to watch as rows; nothing else makes an alarm.
package monitoring

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchmetricalarm"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopic"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopicpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopicsubscription"

	"aws-microservices/constructs/iam"
)

// Comparison says on which side of the threshold the alarm is.
type Comparison string

const (
	// Above alarms when the metric is greater than the threshold.
	Above Comparison = "GreaterThanThreshold"
	// Below alarms when the metric is less than the threshold.
	Below Comparison = "LessThanThreshold"
)

// Metric is one CloudWatch metric.
type Metric struct {
	// Namespace and Name are AWS's, e.g. "AWS/SQS" and "ApproximateAgeOfOldestMessage".
	Namespace, Name string
	// Dimensions select whose metric it is.
	Dimensions map[string]string
	// Statistic is how a period's values become one, e.g. "Sum" or "p99".
	Statistic string
	// Label names the line in a graph. Defaults to Name.
	Label string
	// Region is where the metric is, in a graph. Defaults to the dashboard's. CloudFront and its WAF report to us-east-1.
	Region string
	// ID makes it a number that formulas of the same graph compute with, and no line. Defaults to none: a line.
	ID string
	// Expression is, in a graph, metric math over the others' ids, in place of Namespace, Name, Dimensions and Statistic.
	Expression string
}

// Alarm is a metric, or a formula over several, with a threshold.
type Alarm struct {
	// ID names the alarm in its environment, e.g. "orders-cpu".
	ID string
	// Description says what is wrong and what to do about it: it is what the person called at night reads.
	Description string
	// Metric is what is watched, where Expression is empty.
	Metric Metric
	// Expression is metric math over Metrics, by their ids, e.g. "desired - running". Defaults to none: Metric is watched.
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
	Expression string
	// Metrics are what Expression computes with. An id begins with a lower-case letter.
	Metrics    map[string]Metric
	Threshold  float64
	Comparison Comparison
	// PeriodSeconds is the length of one data point. Defaults to 60.
	PeriodSeconds int
	// Periods is how many data points in a row must be on the wrong side. Defaults to 5.
	Periods int
	// MissingIsBad alarms when the metric stops arriving. Defaults to false: no data is no alarm.
	MissingIsBad bool
	// RollsBack names the service whose deployment is rolled back when it goes off meanwhile. Defaults to none.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
	RollsBack string
}

// Graph is one picture of the dashboard.
type Graph struct {
	Title   string
	Metrics []Metric
	// PeriodSeconds is the length of one data point. Defaults to 60.
	PeriodSeconds int
}

// Props describe the monitoring of an environment, or of the pipelines.
type Props struct {
	// Name prefixes the names of what is made, e.g. "shop-dev".
	Name string
	// AccountID and Region are where the alarms are.
	AccountID, Region string
	// Key encrypts the topic; its policy must let CloudWatch use it.
	Key kmskey.KmsKey
	// Emails receive the alarms once their owners have confirmed. Defaults to none.
	Emails []string
	// Alarms and Graphs are gathered from the constructs.
	Alarms []Alarm
	Graphs []Graph
	// Start is how far back the dashboard looks, e.g. "-P28D". Defaults to three hours, CloudWatch's default.
	Start string
}

// Monitoring is the topic and the alarms.
type Monitoring struct {
	Topic snstopic.SnsTopic
	// RollBacks are the names of the alarms that roll a deployment back, by service.
	RollBacks map[string][]*string
}

// New makes the topic, the alarms and the dashboard.
func New(scope constructs.Construct, id string, props Props) *Monitoring {
	scope = constructs.NewConstruct(scope, &id)
	m := &Monitoring{Topic: topic(scope, props), RollBacks: map[string][]*string{}}
	notify := &[]*string{m.Topic.Arn()}
	for _, a := range props.Alarms {
		resource := alarm(scope, props, a, notify)
		if a.RollsBack != "" {
			m.RollBacks[a.RollsBack] = append(m.RollBacks[a.RollsBack], resource.AlarmName())
		}
	}
	dashboard(scope, props)
	return m
}

func topic(scope constructs.Construct, props Props) snstopic.SnsTopic {
	t := snstopic.NewSnsTopic(scope, jsii.String("topic"), &snstopic.SnsTopicConfig{
		Name:           jsii.String(props.Name + "-alarms"),
		KmsMasterKeyId: props.Key.Arn(),
	})
	policy := iam.NewDocument(scope, "topic-document", iam.Statement{
		Sid:        "Alarms",
		Principals: iam.Service("cloudwatch.amazonaws.com"),
		Actions:    []string{"sns:Publish"},
		Resources:  []string{*t.Arn()},
		Conditions: []iam.Condition{{Test: "StringEquals", Variable: "aws:SourceAccount", Values: []string{props.AccountID}}},
	}, iam.Statement{
		Sid:        "TLSOnly",
		Deny:       true,
		Principals: iam.Anyone(),
		Actions:    []string{"sns:Publish"},
		Resources:  []string{*t.Arn()},
		Conditions: []iam.Condition{{Test: "Bool", Variable: "aws:SecureTransport", Values: []string{"false"}}},
	})
	snstopicpolicy.NewSnsTopicPolicy(scope, jsii.String("topic-policy"), &snstopicpolicy.SnsTopicPolicyConfig{
		Arn: t.Arn(), Policy: policy.Json(),
	})
	for _, email := range props.Emails {
		snstopicsubscription.NewSnsTopicSubscription(scope, jsii.String("email-"+email), &snstopicsubscription.SnsTopicSubscriptionConfig{
			TopicArn: t.Arn(), Protocol: jsii.String("email"), Endpoint: jsii.String(email),
		})
	}
	return t
}

func alarm(scope constructs.Construct, props Props, a Alarm, notify *[]*string) cloudwatchmetricalarm.CloudwatchMetricAlarm {
	if a.PeriodSeconds == 0 {
		a.PeriodSeconds = 60
	}
	if a.Periods == 0 {
		a.Periods = 5
	}
	missing := "notBreaching"
	if a.MissingIsBad {
		missing = "breaching"
	}
	config := &cloudwatchmetricalarm.CloudwatchMetricAlarmConfig{
		AlarmName:          jsii.String(fmt.Sprintf("%s-%s", props.Name, a.ID)),
		AlarmDescription:   &a.Description,
		ComparisonOperator: jsii.String(string(a.Comparison)),
		Threshold:          &a.Threshold,
		EvaluationPeriods:  jsii.Number(a.Periods),
		TreatMissingData:   &missing,
		AlarmActions:       notify,
		OkActions:          notify,
	}
	if a.Expression != "" {
		config.MetricQuery = queries(a)
	} else {
		config.Namespace = &a.Metric.Namespace
		config.MetricName = &a.Metric.Name
		config.Dimensions = dimensions(a.Metric)
		config.Period = jsii.Number(a.PeriodSeconds)
		if isPercentile(a.Metric.Statistic) {
			config.ExtendedStatistic = &a.Metric.Statistic
			// One slow request at night is no trend.
			config.EvaluateLowSampleCountPercentiles = jsii.String("ignore")
		} else {
			config.Statistic = &a.Metric.Statistic
		}
	}
	return cloudwatchmetricalarm.NewCloudwatchMetricAlarm(scope, jsii.String("alarm-"+a.ID), config)
}

// queries writes a formula: its metrics by their ids, and the one result that the alarm watches.
func queries(a Alarm) []*cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQuery {
	var rows []*cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQuery
	for _, id := range slices.Sorted(maps.Keys(a.Metrics)) {
		m := a.Metrics[id]
		rows = append(rows, &cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQuery{
			Id: jsii.String(id),
			Metric: &cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQueryMetric{
				Namespace: jsii.String(m.Namespace), MetricName: jsii.String(m.Name), Dimensions: dimensions(m),
				Period: jsii.Number(a.PeriodSeconds), Stat: jsii.String(m.Statistic),
			},
		})
	}
	return append(rows, &cloudwatchmetricalarm.CloudwatchMetricAlarmMetricQuery{
		Id: jsii.String("result"), Expression: &a.Expression, Label: &a.ID, ReturnData: jsii.Bool(true),
	})
}

func dimensions(m Metric) *map[string]*string {
	all := map[string]*string{}
	for name, value := range m.Dimensions {
		all[name] = jsii.String(value)
	}
	return &all
}

func isPercentile(statistic string) bool {
	return statistic[0] == 'p'
}
