package service

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatcheventrule"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatcheventtarget"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/schedulerschedule"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/key"
	"aws-microservices/constructs/monitoring"
	"aws-microservices/constructs/queue"
)

// schedule runs the newest task definition of a Job. What the scheduler could not start after its retries, and what ended
// badly, becomes a dead letter.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
func (s *Service) schedule(scope constructs.Construct) {
	p := s.props
	s.deadLetters(scope)
	var strategy []*schedulerschedule.SchedulerScheduleTargetEcsParametersCapacityProviderStrategy
	for _, share := range p.Cluster.Strategy() {
		strategy = append(strategy, &schedulerschedule.SchedulerScheduleTargetEcsParametersCapacityProviderStrategy{
			CapacityProvider: jsii.String(share.Provider), Base: jsii.Number(share.Base), Weight: jsii.Number(share.Weight),
		})
	}
	schedulerschedule.NewSchedulerSchedule(scope, jsii.String("schedule"), &schedulerschedule.SchedulerScheduleConfig{
		Name:               jsii.String(p.family()),
		Description:        jsii.String("Runs " + p.Name),
		ScheduleExpression: &p.Schedule,
		FlexibleTimeWindow: &schedulerschedule.SchedulerScheduleFlexibleTimeWindow{Mode: jsii.String("OFF")},
		KmsKeyArn:          p.Key.Arn(),
		Target: &schedulerschedule.SchedulerScheduleTarget{
			Arn:     p.Cluster.ARN,
			RoleArn: s.schedulerRole(scope).Arn(),
			RetryPolicy: &schedulerschedule.SchedulerScheduleTargetRetryPolicy{
				MaximumRetryAttempts: jsii.Number(3), MaximumEventAgeInSeconds: jsii.Number(3600),
			},
			DeadLetterConfig: &schedulerschedule.SchedulerScheduleTargetDeadLetterConfig{Arn: s.DeadLetters.ARN},
			EcsParameters: &schedulerschedule.SchedulerScheduleTargetEcsParameters{
				// Without a revision: the newest one, which a release may have registered.
				TaskDefinitionArn:        s.TaskDefinition.ArnWithoutRevision(),
				CapacityProviderStrategy: strategy,
				EnableEcsManagedTags:     jsii.Bool(true),
				PropagateTags:            jsii.String("TASK_DEFINITION"),
				NetworkConfiguration: &schedulerschedule.SchedulerScheduleTargetEcsParametersNetworkConfiguration{
					Subnets:        p.Network.PrivateSubnetIDs,
					SecurityGroups: &[]*string{s.SecurityGroupID},
					AssignPublicIp: jsii.Bool(false),
				},
			},
		},
		DependsOn: s.prerequisites(),
	})
}

// The event that ECS sends when a task of the Job ended badly.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
type (
	eventPattern struct {
		Source     []string    `json:"source"`
		DetailType []string    `json:"detail-type"`
		Detail     eventDetail `json:"detail"`
	}
	eventDetail struct {
		ClusterARN []string  `json:"clusterArn"`
		Group      []string  `json:"group"`
		LastStatus []string  `json:"lastStatus"`
		Or         []badEnds `json:"$or"`
	}
	badEnds struct {
		StopCode   []string  `json:"stopCode,omitempty"`
		Containers *exitCode `json:"containers,omitempty"`
	}
	exitCode struct {
		ExitCode []anythingBut `json:"exitCode"`
	}
	anythingBut struct {
		AnythingBut []int `json:"anything-but"`
	}
)

// badEnd matches tasks of the family that could not start, were taken away, or ended with another code than 0.
func badEnd(clusterARN, family string) string {
	return marshal(eventPattern{
		Source:     []string{"aws.ecs"},
		DetailType: []string{"ECS Task State Change"},
		Detail: eventDetail{
			ClusterARN: []string{clusterARN},
			Group:      []string{"family:" + family},
			LastStatus: []string{"STOPPED"},
			Or: []badEnds{
				{StopCode: []string{"SpotInterruption", "TaskFailedToStart", "TerminationNotice"}},
				{Containers: &exitCode{[]anythingBut{{[]int{0}}}}},
			},
		},
	})
}

// deadLetters makes the queue of the Job's failures, each with the event that tells why.
func (s *Service) deadLetters(scope constructs.Construct) {
	p := s.props
	s.DeadLetters = queue.NewDead(scope, "dead-letters", queue.DeadProps{Name: p.Name, Prefix: p.Prefix, Key: p.Key})
	rule := cloudwatcheventrule.NewCloudwatchEventRule(scope, jsii.String("failed"), &cloudwatcheventrule.CloudwatchEventRuleConfig{
		Name:         jsii.String(p.family() + "-failed"),
		Description:  jsii.String("Tasks of " + p.Name + " that did not end well"),
		EventPattern: jsii.String(badEnd(*p.Cluster.ARN, p.family())),
	})
	cloudwatcheventtarget.NewCloudwatchEventTarget(scope, jsii.String("failed-target"), &cloudwatcheventtarget.CloudwatchEventTargetConfig{
		Rule: rule.Name(), Arn: s.DeadLetters.ARN,
	})
	s.DeadLetters.Allow(iam.Statement{
		Sid:        "Failed",
		Principals: iam.Service("events.amazonaws.com"),
		Actions:    []string{"sqs:SendMessage"},
		Resources:  []string{*s.DeadLetters.ARN},
		Conditions: []iam.Condition{{Test: "ArnEquals", Variable: "aws:SourceArn", Values: []string{*rule.Arn()}}},
	})
}

// EventsGrant lets EventBridge encrypt what it sends to a Job's dead letters.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-permissions-manage.html
func EventsGrant(accountID string) key.Grant {
	return key.Grant{
		Sid: "Events", Service: "events.amazonaws.com", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"},
		Conditions: key.FromAccount(accountID),
	}
}

func (s *Service) jobAlarm() monitoring.Alarm {
	p := s.props
	return monitoring.Alarm{
		ID:          p.Name + "-failed",
		Description: p.Name + " did not run or did not end well: its dead letters say why, /ecs/" + p.Name + " what it did",
		Metric: monitoring.Metric{
			Namespace: "AWS/SQS", Name: "ApproximateNumberOfMessagesVisible", Statistic: "Maximum",
			Dimensions: map[string]string{"QueueName": *s.DeadLetters.Name},
		},
		Comparison: monitoring.Above, Threshold: 0, Periods: 1,
	}
}

// schedulerRole lets EventBridge Scheduler start this task definition on this cluster, with its roles and no others.
func (s *Service) schedulerRole(scope constructs.Construct) iamrole.IamRole {
	p := s.props
	return iam.NewRole(scope, "scheduler-role", iam.RoleProps{
		Name:        p.family() + "-scheduler",
		Description: "Starts " + p.Name + " on its schedule",
		Trust:       iam.ForService("scheduler.amazonaws.com", p.AccountID),
		Statements: []iam.Statement{
			{
				Sid:       "Run",
				Actions:   []string{"ecs:RunTask"},
				Resources: []string{*s.TaskDefinition.ArnWithoutRevision() + ":*"},
				Conditions: []iam.Condition{{
					Test: "ArnEquals", Variable: "ecs:cluster", Values: []string{*p.Cluster.ARN},
				}},
			},
			{
				Sid:       "PassRoles",
				Actions:   []string{"iam:PassRole"},
				Resources: []string{*s.ExecutionRole.Arn(), *s.TaskRole.Arn()},
				Conditions: []iam.Condition{{
					Test: "StringEquals", Variable: "iam:PassedToService", Values: []string{"ecs-tasks.amazonaws.com"},
				}},
			},
			{
				Sid:       "Tag",
				Actions:   []string{"ecs:TagResource"},
				Resources: []string{fmt.Sprintf("arn:aws:ecs:%s:%s:task/%s/*", p.Region, p.AccountID, *p.Cluster.Name)},
			},
			{
				// https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
				Sid: "Key", Actions: []string{"kms:Decrypt"}, Resources: []string{*p.Key.Arn()},
				Conditions: []iam.Condition{{
					Test: "StringEquals", Variable: "kms:EncryptionContext:aws:scheduler:schedule:arn",
					Values: []string{fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule/default/%s", p.Region, p.AccountID, p.family())},
				}},
			},
			{
				Sid: "DeadLettersKey", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{*p.Key.Arn()},
				Conditions: []iam.Condition{{
					Test: "StringEquals", Variable: "kms:EncryptionContext:aws:sqs:arn", Values: []string{*s.DeadLetters.ARN},
				}},
			},
			{Sid: "DeadLetters", Actions: []string{"sqs:SendMessage"}, Resources: []string{*s.DeadLetters.ARN}},
		},
	})
}
