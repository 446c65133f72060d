// Package iam writes IAM policies and roles from plain Go values.
//
//	Statement ... -> aws_iam_policy_document (data source) -> aws_iam_role, aws_iam_role_policy
//
// Policies are data sources and not literal JSON, because scanners read only the former.
package iam

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dataawsiampolicydocument"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrole"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicy"
)

// Statement is one statement of a policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html
type Statement struct {
	// Sid names the statement. Letters and digits only.
	Sid string
	// Deny makes the statement deny what it lists. Defaults to allowing it.
	Deny bool
	// Principals are who the statement is about; only in policies attached to a resource.
	Principals []Principal
	// Actions are the API actions, e.g. "sqs:SendMessage".
	Actions []string
	// Resources are the ARNs. Not in trust policies.
	Resources []string
	// Conditions must all hold. Defaults to none.
	Conditions []Condition
}

// Principal is who may do something.
type Principal struct {
	// Type is "Service", "AWS", "Federated" or "*".
	Type string
	// Identifiers are service names, account or role ARNs, or "*".
	Identifiers []string
}

// Condition limits a statement.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
type Condition struct {
	// Test is the operator, e.g. "StringEquals".
	Test string
	// Variable is the condition key, e.g. "aws:SourceAccount".
	Variable string
	// Values are alternatives: one of them must match.
	Values []string
}

// Service returns the principal of an AWS service, e.g. "ecs-tasks.amazonaws.com".
func Service(name string) []Principal {
	return []Principal{{Type: "Service", Identifiers: []string{name}}}
}

// Anyone returns the principal that matches everybody: for statements that deny.
func Anyone() []Principal {
	return []Principal{{Type: "*", Identifiers: []string{"*"}}}
}

// NewDocument makes a policy document.
func NewDocument(scope constructs.Construct, id string, statements ...Statement) dataawsiampolicydocument.DataAwsIamPolicyDocument {
	return dataawsiampolicydocument.NewDataAwsIamPolicyDocument(scope, &id, &dataawsiampolicydocument.DataAwsIamPolicyDocumentConfig{
		Statement: render(statements),
	})
}

// SetStatements replaces the statements of a document.
func SetStatements(document dataawsiampolicydocument.DataAwsIamPolicyDocument, statements ...Statement) {
	document.PutStatement(render(statements))
}

// RoleProps describe a role that an AWS service assumes.
type RoleProps struct {
	// Name of the role. At most 64 characters.
	Name string
	// Description says what the role is for.
	Description string
	// Service is who assumes it, e.g. "ecs-tasks.amazonaws.com".
	Service string
	// AccountID is the account the service must act for, so that nobody else's resources can borrow the role.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
	AccountID string
	// Statements are what the role may do. Defaults to nothing.
	Statements []Statement
}

// NewRole makes a role with one inline policy.
func NewRole(scope constructs.Construct, id string, props RoleProps) iamrole.IamRole {
	scope = constructs.NewConstruct(scope, &id)
	trust := NewDocument(scope, "trust", Statement{
		Sid:        "Assume",
		Principals: Service(props.Service),
		Actions:    []string{"sts:AssumeRole"},
		Conditions: []Condition{{Test: "StringEquals", Variable: "aws:SourceAccount", Values: []string{props.AccountID}}},
	})
	role := iamrole.NewIamRole(scope, jsii.String("role"), &iamrole.IamRoleConfig{
		Name:             &props.Name,
		Description:      &props.Description,
		AssumeRolePolicy: trust.Json(),
	})
	if len(props.Statements) > 0 {
		iamrolepolicy.NewIamRolePolicy(scope, jsii.String("policy"), &iamrolepolicy.IamRolePolicyConfig{
			Name:   &props.Name,
			Role:   role.Name(),
			Policy: NewDocument(scope, "document", props.Statements...).Json(),
		})
	}
	return role
}

func render(statements []Statement) *[]*dataawsiampolicydocument.DataAwsIamPolicyDocumentStatement {
	rows := make([]*dataawsiampolicydocument.DataAwsIamPolicyDocumentStatement, len(statements))
	for i, s := range statements {
		effect := "Allow"
		if s.Deny {
			effect = "Deny"
		}
		row := &dataawsiampolicydocument.DataAwsIamPolicyDocumentStatement{
			Sid:     jsii.String(s.Sid),
			Effect:  jsii.String(effect),
			Actions: jsii.Strings(s.Actions...),
		}
		if len(s.Resources) > 0 {
			row.Resources = jsii.Strings(s.Resources...)
		}
		if len(s.Principals) > 0 {
			var principals []*dataawsiampolicydocument.DataAwsIamPolicyDocumentStatementPrincipals
			for _, p := range s.Principals {
				principals = append(principals, &dataawsiampolicydocument.DataAwsIamPolicyDocumentStatementPrincipals{
					Type: jsii.String(p.Type), Identifiers: jsii.Strings(p.Identifiers...),
				})
			}
			row.Principals = principals
		}
		if len(s.Conditions) > 0 {
			var conditions []*dataawsiampolicydocument.DataAwsIamPolicyDocumentStatementCondition
			for _, c := range s.Conditions {
				conditions = append(conditions, &dataawsiampolicydocument.DataAwsIamPolicyDocumentStatementCondition{
					Test: jsii.String(c.Test), Variable: jsii.String(c.Variable), Values: jsii.Strings(c.Values...),
				})
			}
			row.Condition = conditions
		}
		rows[i] = row
	}
	return &rows
}
