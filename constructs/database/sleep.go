package database

import (
	"encoding/json"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/schedulerschedule"

	"aws-microservices/constructs/iam"
)

// sleep stops and starts the database on schedule. RDS starts a database that has been stopped for seven days: the next
// night stops it again.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
func (d *Database) sleep(scope constructs.Construct) {
	props, name := d.props, d.identifier()
	kind, input := "DBInstance", map[string]string{"DbInstanceIdentifier": name}
	if props.Serverless != nil {
		kind, input = "DBCluster", map[string]string{"DbClusterIdentifier": name}
	}
	text, err := json.Marshal(input)
	if err != nil {
		panic(err) // strings always marshal
	}
	role := iam.NewRole(scope, "sleep-role", iam.RoleProps{
		Name:        name + "-database-sleep",
		Description: "Stops and starts " + name + " on schedule",
		Trust:       iam.ForService("scheduler.amazonaws.com", props.AccountID),
		Statements: []iam.Statement{
			{Sid: "Database", Actions: []string{"rds:Stop" + kind, "rds:Start" + kind}, Resources: []string{*d.ARN()}},
			{
				// https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
				Sid: "Key", Actions: []string{"kms:Decrypt"}, Resources: []string{*props.Key.Arn()},
				Conditions: []iam.Condition{{
					Test: "StringLike", Variable: "kms:EncryptionContext:aws:scheduler:schedule:arn",
					Values: []string{fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule/default/%s-database-*", props.Region, props.AccountID, name)},
				}},
			},
		},
	}).Arn()
	for _, s := range []struct{ id, verb, action, at string }{
		{"sleep", "Stops", "stop", props.Sleep.Sleep},
		{"wake", "Starts", "start", props.Sleep.Wake},
	} {
		schedulerschedule.NewSchedulerSchedule(scope, &s.id, &schedulerschedule.SchedulerScheduleConfig{
			Name:                       jsii.String(fmt.Sprintf("%s-database-%s", name, s.id)),
			Description:                jsii.String(s.verb + " database " + props.Name),
			ScheduleExpression:         &s.at,
			ScheduleExpressionTimezone: jsii.String(props.Sleep.Zone()),
			FlexibleTimeWindow:         &schedulerschedule.SchedulerScheduleFlexibleTimeWindow{Mode: jsii.String("OFF")},
			KmsKeyArn:                  props.Key.Arn(),
			Target: &schedulerschedule.SchedulerScheduleTarget{
				Arn:     jsii.String("arn:aws:scheduler:::aws-sdk:rds:" + s.action + kind),
				RoleArn: role,
				Input:   jsii.String(string(text)),
				// Long enough for a backup or a change to end, not so long that a stop comes when people work again.
				RetryPolicy: &schedulerschedule.SchedulerScheduleTargetRetryPolicy{
					MaximumRetryAttempts: jsii.Number(20), MaximumEventAgeInSeconds: jsii.Number(3600),
				},
			},
		})
	}
}
