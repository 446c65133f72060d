package service

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/schedulerschedule"

	"aws-microservices/constructs/iam"
)

// schedule runs the newest task definition of a Job.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
func (s *Service) schedule(scope constructs.Construct) {
	p := s.props
	var strategy []*schedulerschedule.SchedulerScheduleTargetEcsParametersCapacityProviderStrategy
	for _, share := range p.Cluster.Capacity.Shares() {
		strategy = append(strategy, &schedulerschedule.SchedulerScheduleTargetEcsParametersCapacityProviderStrategy{
			CapacityProvider: jsii.String(share.Provider), Base: jsii.Number(share.Base), Weight: jsii.Number(share.Weight),
		})
	}
	schedulerschedule.NewSchedulerSchedule(scope, jsii.String("schedule"), &schedulerschedule.SchedulerScheduleConfig{
		Name:               jsii.String(fmt.Sprintf("%s-%s", p.Prefix, p.Name)),
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

// schedulerRole lets EventBridge Scheduler start this task definition on this cluster, with its roles and no others.
func (s *Service) schedulerRole(scope constructs.Construct) iamrole.IamRole {
	p := s.props
	role := *s.TaskDefinition.ExecutionRoleArn()
	return iam.NewRole(scope, "scheduler-role", iam.RoleProps{
		Name:        fmt.Sprintf("%s-%s-scheduler", p.Prefix, p.Name),
		Description: "Starts " + p.Name + " on its schedule",
		Service:     "scheduler.amazonaws.com",
		AccountID:   p.AccountID,
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
				Resources: []string{role, *s.TaskRole.Arn()},
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
			},
		},
	})
}
