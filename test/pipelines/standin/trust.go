package main

import (
	"fmt"

	"aws-microservices/internal/policy"
)

// issuer is GitHub's, as IAM names the provider and the keys of its claims.
const issuer = "token.actions.githubusercontent.com"

// trusts tells whether a role's trust policy lets a token with these claims take the role.
func trusts(document, role, account string, claims map[string]string) (bool, error) {
	trust, err := policy.Parse([]byte(document))
	if err != nil {
		return false, fmt.Errorf("trust policy: %w", err)
	}
	context := map[string][]string{}
	for name, value := range claims {
		context[issuer+":"+name] = []string{value}
	}
	decision, err := policy.Evaluate(policy.Request{
		Principal: policy.Principal{Type: "Federated", ID: fmt.Sprintf("arn:aws:iam::%s:oidc-provider/%s", account, issuer)},
		Action:    "sts:AssumeRoleWithWebIdentity", Resource: role, Account: account, Context: context,
	}, policy.Policies{Resource: trust, Ruled: true})
	return decision.Allowed, err
}
