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
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicyattachment"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
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
	// Actions are the API actions, e.g. "sqs:SendMessage", and NotActions all but these.
	Actions, NotActions []string
	// Resources are the ARNs, and NotResources all but these. Neither is in trust policies.
	Resources, NotResources []string
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

// ForService is the trust of a role that an AWS service assumes, e.g. "ecs-tasks.amazonaws.com". It must act for the account, so
// that nobody else's resources can borrow the role.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func ForService(name, accountID string) Statement {
	return Statement{
		Sid:        "Assume",
		Principals: Service(name),
		Actions:    []string{"sts:AssumeRole"},
		Conditions: []Condition{{Test: "StringEquals", Variable: "aws:SourceAccount", Values: []string{accountID}}},
	}
}

// ForRole is the trust of a role that exactly one other role assumes, of whatever account.
func ForRole(arn string) Statement {
	return Statement{
		Sid:        "Assume",
		Principals: []Principal{{Type: "AWS", Identifiers: []string{arn}}},
		Actions:    []string{"sts:AssumeRole"},
	}
}

// boundary is the context in which the roles of a scope are told their permissions boundary.
const boundary = "permissions-boundary"

// Bound gives every role that is made in a scope a permissions boundary, the policy of the ARN. The scope must be empty yet.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func Bound(scope constructs.Construct, policyARN string) {
	scope.Node().SetContext(jsii.String(boundary), policyARN)
}

// Boundary returns the permissions boundary of a scope's roles, nil where there is none.
func Boundary(scope constructs.Construct) *string {
	if arn, bound := scope.Node().TryGetContext(jsii.String(boundary)).(string); bound {
		return &arn
	}
	return nil
}

// RoleProps describe a role.
type RoleProps struct {
	// Name of the role. At most 64 characters.
	Name string
	// Description says what the role is for.
	Description string
	// Trust says who assumes it.
	Trust Statement
	// ManagedPolicy is the name of one of AWS's, e.g. "ReadOnlyAccess". Defaults to none.
	ManagedPolicy string
	// Statements are what the role may do, and with Deny what it may not whatever else allows it. Defaults to none.
	Statements []Statement
	// Provider places the role in another account. Defaults to the stack's.
	Provider cdktf.TerraformProvider
}

// NewRole makes a role with one inline policy.
func NewRole(scope constructs.Construct, id string, props RoleProps) iamrole.IamRole {
	scope = constructs.NewConstruct(scope, &id)
	role := iamrole.NewIamRole(scope, jsii.String("role"), &iamrole.IamRoleConfig{
		Name:                &props.Name,
		Description:         &props.Description,
		AssumeRolePolicy:    NewDocument(scope, "trust", props.Trust).Json(),
		PermissionsBoundary: Boundary(scope),
		Provider:            props.Provider,
	})
	if props.ManagedPolicy != "" {
		iamrolepolicyattachment.NewIamRolePolicyAttachment(scope, jsii.String("managed"), &iamrolepolicyattachment.IamRolePolicyAttachmentConfig{
			Role:      role.Name(),
			PolicyArn: jsii.String("arn:aws:iam::aws:policy/" + props.ManagedPolicy),
			Provider:  props.Provider,
		})
	}
	if len(props.Statements) > 0 {
		iamrolepolicy.NewIamRolePolicy(scope, jsii.String("policy"), &iamrolepolicy.IamRolePolicyConfig{
			Name:     &props.Name,
			Role:     role.Name(),
			Policy:   NewDocument(scope, "document", props.Statements...).Json(),
			Provider: props.Provider,
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
			Sid:    jsii.String(s.Sid),
			Effect: jsii.String(effect),
		}
		if len(s.Actions) > 0 {
			row.Actions = jsii.Strings(s.Actions...)
		}
		if len(s.NotActions) > 0 {
			row.NotActions = jsii.Strings(s.NotActions...)
		}
		if len(s.Resources) > 0 {
			row.Resources = jsii.Strings(s.Resources...)
		}
		if len(s.NotResources) > 0 {
			row.NotResources = jsii.Strings(s.NotResources...)
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
