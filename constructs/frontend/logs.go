package frontend

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontdistribution"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchlogdelivery"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchlogdeliverydestination"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchlogdeliverysource"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"

	"aws-microservices/constructs/logging"
)

// accessLogs delivers a line for each request to CloudWatch Logs, where it can be searched beside the services' logs.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging.html
func accessLogs(scope constructs.Construct, props Props, distribution cloudfrontdistribution.CloudfrontDistribution, edgeKey kmskey.KmsKey) {
	group := logging.NewGroup(scope, "access-log-group", logging.GroupProps{
		// The prefix is one that AWS's delivery may write to without a policy of its own for each group.
		Name: "/aws/vendedlogs/cloudfront/" + props.Name, RetentionDays: props.LogRetentionDays, Key: edgeKey, Provider: props.Global,
	})
	source := cloudwatchlogdeliverysource.NewCloudwatchLogDeliverySource(scope, jsii.String("access-log-source"), &cloudwatchlogdeliverysource.CloudwatchLogDeliverySourceConfig{
		Name: &props.Name, LogType: jsii.String("ACCESS_LOGS"), ResourceArn: distribution.Arn(), Provider: props.Global,
	})
	destination := cloudwatchlogdeliverydestination.NewCloudwatchLogDeliveryDestination(scope, jsii.String("access-log-destination"), &cloudwatchlogdeliverydestination.CloudwatchLogDeliveryDestinationConfig{
		Name:         &props.Name,
		OutputFormat: jsii.String("json"),
		DeliveryDestinationConfiguration: []*cloudwatchlogdeliverydestination.CloudwatchLogDeliveryDestinationDeliveryDestinationConfiguration{{
			DestinationResourceArn: group.Arn(),
		}},
		Provider: props.Global,
	})
	cloudwatchlogdelivery.NewCloudwatchLogDelivery(scope, jsii.String("access-log-delivery"), &cloudwatchlogdelivery.CloudwatchLogDeliveryConfig{
		DeliverySourceName: source.Name(), DeliveryDestinationArn: destination.Arn(), Provider: props.Global,
	})
}
