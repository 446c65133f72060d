package network

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/flowlog"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpc"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/logging"
)

// flowLogs records every connection's ends, ports and verdict.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html
func flowLogs(scope constructs.Construct, props Props, v vpc.Vpc) {
	group := logging.NewGroup(scope, "flow-log-group", logging.GroupProps{
		Name:          "/vpc/" + props.Name,
		RetentionDays: props.LogRetentionDays,
		Key:           props.Key,
	})
	role := iam.NewRole(scope, "flow-log-role", iam.RoleProps{
		Name:        props.Name + "-flow-logs",
		Description: "Writes the VPC's flow logs",
		Trust:       iam.ForService("vpc-flow-logs.amazonaws.com", props.AccountID),
		Statements: []iam.Statement{{
			Sid:       "Write",
			Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			Resources: []string{*group.Arn() + ":*"},
		}},
	})
	flowlog.NewFlowLog(scope, jsii.String("flow-log"), &flowlog.FlowLogConfig{
		VpcId:                  v.Id(),
		TrafficType:            jsii.String("ALL"),
		LogDestination:         group.Arn(),
		IamRoleArn:             role.Arn(),
		MaxAggregationInterval: jsii.Number(60),
		Tags:                   named(props.Name),
	})
}
