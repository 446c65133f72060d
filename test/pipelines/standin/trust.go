package main

import (
	"encoding/json"
	"fmt"

	"aws-microservices/internal/policy"
)

// issuer is GitHub's, as IAM names the provider and the keys of its claims.
const issuer = "token.actions.githubusercontent.com"

// trusts tells whether a role's trust policy lets a token with these claims take the role.
func trusts(document, account string, claims map[string]string) (bool, error) {
	statements, err := readTrust(document)
	if err != nil {
		return false, fmt.Errorf("trust policy: %w", err)
	}
	context := map[string][]string{}
	for name, value := range claims {
		context[issuer+":"+name] = []string{value}
	}
	decision, err := policy.Evaluate(policy.Request{
		Principal: policy.Principal{Type: "Federated", ID: fmt.Sprintf("arn:aws:iam::%s:oidc-provider/%s", account, issuer)},
		Action:    "sts:AssumeRoleWithWebIdentity", Resource: "*", Account: account, Context: context,
	}, policy.Policies{Resource: statements, Ruled: true})
	return decision.Allowed, err
}

// readTrust reads a trust policy as IAM keeps it.
func readTrust(document string) ([]policy.Statement, error) {
	var parsed struct {
		Statement []struct {
			Sid       string
			Effect    string
			Principal map[string]texts
			Action    texts
			Condition map[string]map[string]texts
		}
	}
	if err := json.Unmarshal([]byte(document), &parsed); err != nil {
		return nil, err
	}
	var all []policy.Statement
	for _, row := range parsed.Statement {
		s := policy.Statement{Sid: row.Sid, Deny: row.Effect == "Deny", Actions: row.Action}
		for kind, ids := range row.Principal {
			for _, id := range ids {
				s.Principals = append(s.Principals, policy.Principal{Type: kind, ID: id})
			}
		}
		for test, keys := range row.Condition {
			for key, values := range keys {
				s.Conditions = append(s.Conditions, policy.Condition{Test: test, Variable: key, Values: values})
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// texts are one text or several, as IAM writes them.
type texts []string

func (t *texts) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}
