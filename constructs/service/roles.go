package service

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchloggroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"

	"aws-microservices/constructs/iam"
)

// taskRole is what the service's own code may do: what its links say, and ECS Exec.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
func taskRole(scope constructs.Construct, p Props) iamrole.IamRole {
	statements := []iam.Statement{
		{
			// These actions know no resources. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
			Sid: "Exec",
			Actions: []string{
				"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
				"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
			},
			Resources: []string{"*"},
		},
		{Sid: "ExecLogGroups", Actions: []string{"logs:DescribeLogGroups"}, Resources: []string{"*"}},
		{
			Sid:       "ExecLog",
			Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			Resources: []string{*p.Cluster.ExecLog.Arn() + ":*"},
		},
		{
			// Only what a session encrypts, and not the messages, objects and secrets that the key encrypts too.
			// https://github.com/aws/amazon-ssm-agent/blob/mainline/agent/session/crypto/crypto.go
			Sid: "ExecKey", Actions: []string{"kms:Decrypt"}, Resources: []string{*p.Cluster.Key.Arn()}, Conditions: []iam.Condition{{
				Test: "Null", Variable: "kms:EncryptionContext:aws:ssm:TargetId", Values: []string{"false"},
			}},
		},
	}
	for i, l := range p.Links {
		for _, statement := range l.Statements {
			// Sids must differ within a document.
			statement.Sid = fmt.Sprintf("%s%d", statement.Sid, i+1)
			statements = append(statements, statement)
		}
	}
	return iam.NewRole(scope, "task-role", iam.RoleProps{
		Name:        fmt.Sprintf("%s-%s-task", p.Prefix, p.Name),
		Description: "What the code of " + p.Name + " may do",
		Trust:       iam.ForService("ecs-tasks.amazonaws.com", p.AccountID),
		Statements:  statements,
	})
}

// executionRole is what ECS does before the code runs: pull the image and open the log.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
func executionRole(scope constructs.Construct, p Props, log cloudwatchloggroup.CloudwatchLogGroup) iamrole.IamRole {
	return iam.NewRole(scope, "execution-role", iam.RoleProps{
		Name:        fmt.Sprintf("%s-%s-execution", p.Prefix, p.Name),
		Description: "Starts tasks of " + p.Name,
		Trust:       iam.ForService("ecs-tasks.amazonaws.com", p.AccountID),
		Statements: []iam.Statement{
			// The token opens nothing by itself, and the action knows no resources.
			{Sid: "Login", Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []string{"*"}},
			{
				Sid:       "Pull",
				Actions:   []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
				Resources: p.RepositoryARNs,
			},
			{Sid: "Log", Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resources: []string{*log.Arn() + ":*"}},
		},
	})
}
