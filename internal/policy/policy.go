// Package policy decides as IAM does whether a request is allowed.
//
//	aws_iam_policy_document (JSON) -> Read -> Statement ... \
//	a policy as IAM returns it -> Parse ----> Statement ... - Evaluate(Request, Policies) -> Decision
//	resources of the JSON -> Stack.Resolve (concrete ARNs)  /
//
// It knows identity policies and resource policies of one account and of two. What it does not know (an operator, a policy
// variable, an element of the grammar) is an error and never a guess: a test that cannot read a policy must fail.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Statement is one statement of a policy.
type Statement struct {
	Sid          string
	Deny         bool
	Principals   []Principal
	Actions      []string
	NotActions   []string
	Resources    []string
	NotResources []string
	Conditions   []Condition
}

// side is what a statement is attached to.
type side int

const (
	identity side = iota
	resource
)

// Principal is who makes a request, or who a statement is about.
type Principal struct {
	// Type is "Service", "AWS", "Federated" or "*".
	Type string
	// ID is a service's name, the ARN of a role or of an account's root, or "*".
	ID string
}

// Request is one call of AWS's API.
type Request struct {
	Principal Principal
	// Action is e.g. "sqs:SendMessage".
	Action string
	// Resource is the ARN, or "*" for an action that knows no resources.
	Resource string
	// Account owns the resource.
	Account string
	// Context are the condition keys that the request carries. A key that is not there is missing.
	Context map[string][]string
}

// Policies are those that count for a request.
type Policies struct {
	// Identity are the statements of the principal's own policies.
	Identity []Statement
	// Resource are the statements of the resource's policy.
	Resource []Statement
	// Ruled is set where the resource's policy must allow too, even in the same account: KMS keys and roles' trust.
	// https://docs.aws.amazon.com/kms/latest/developerguide/control-access-overview.html
	Ruled bool
}

// Decision is what became of a request.
type Decision struct {
	Allowed bool
	// By are the statements that decided: those that deny, or else those that allow. None when nothing allows.
	By []*Statement
}

// match says how a statement is about a principal.
type match int

const (
	no match = iota
	// delegated: the statement names the principal's account, whose identity policies then decide.
	delegated
	yes
)

// Evaluate decides. An explicit deny wins; without an allow nothing is allowed. Within one account either side may allow;
// across accounts, and where the resource rules, both must.
func Evaluate(r Request, p Policies) (Decision, error) {
	if strings.ContainsAny(r.Action, "*?") || strings.Count(r.Action, ":") != 1 {
		return Decision{}, fmt.Errorf("request of %q: name one action, service:Action", r.Action)
	}
	var denies, byIdentity, byResource []*Statement
	resourceAllows := no
	collect := func(statements []Statement, of side) error {
		for i := range statements {
			s := &statements[i]
			how, err := s.applies(r, of)
			if err != nil {
				return fmt.Errorf("statement %q: %w", s.Sid, err)
			}
			switch {
			case how == no:
			case s.Deny:
				denies = append(denies, s)
			case of == identity:
				byIdentity = append(byIdentity, s)
			default:
				byResource = append(byResource, s)
				resourceAllows = max(resourceAllows, how)
			}
		}
		return nil
	}
	if err := collect(p.Identity, identity); err != nil {
		return Decision{}, err
	}
	if err := collect(p.Resource, resource); err != nil {
		return Decision{}, err
	}
	if len(denies) > 0 {
		return Decision{By: denies}, nil
	}
	home := account(r.Principal)
	var allowed bool
	switch {
	case home == "": // a service, or anybody: it has no identity policies
		allowed = resourceAllows == yes
	case home != r.Account:
		allowed = len(byIdentity) > 0 && resourceAllows != no
	case p.Ruled:
		allowed = resourceAllows == yes || resourceAllows == delegated && len(byIdentity) > 0
	default:
		allowed = len(byIdentity) > 0 || resourceAllows == yes
	}
	if !allowed {
		return Decision{}, nil
	}
	return Decision{Allowed: true, By: append(byIdentity, byResource...)}, nil
}

// applies tells whether a statement speaks about the request.
func (s *Statement) applies(r Request, of side) (match, error) {
	if err := s.check(of); err != nil {
		return no, err
	}
	how := yes
	if of == resource {
		how = s.principal(r.Principal)
	}
	action := func(pattern string) bool {
		return strings.EqualFold(pattern, r.Action) ||
			strings.ContainsAny(pattern, "*?") && glob(strings.ToLower(pattern), strings.ToLower(r.Action))
	}
	if how == no || !slices.ContainsFunc(s.Actions, action) && s.NotActions == nil || slices.ContainsFunc(s.NotActions, action) {
		return no, nil
	}
	// The widest reading of a * is the cautious one where something is allowed, the narrowest where it is denied.
	matches := func(wide bool) func(string) bool {
		return func(pattern string) bool { return resourceMatches(pattern, r.Resource, wide) }
	}
	switch {
	case s.Resources == nil && s.NotResources == nil: // in a resource's policy: that resource
	case s.NotResources != nil && slices.ContainsFunc(s.NotResources, matches(s.Deny)):
		return no, nil
	case s.NotResources == nil && !slices.ContainsFunc(s.Resources, matches(!s.Deny)):
		return no, nil
	}
	for _, c := range s.Conditions {
		holds, err := c.holds(r.Context)
		if err != nil {
			return no, err
		}
		if !holds {
			return no, nil
		}
	}
	return how, nil
}

// check refuses what AWS refuses: it would otherwise be read as something it does not mean.
func (s *Statement) check(of side) error {
	switch {
	case (s.Actions == nil) == (s.NotActions == nil):
		return fmt.Errorf("it needs either actions or not_actions")
	case s.Resources != nil && s.NotResources != nil:
		return fmt.Errorf("it has both resources and not_resources")
	case of == identity && len(s.Principals) > 0:
		return fmt.Errorf("an identity policy names no principals")
	case of == identity && s.Resources == nil && s.NotResources == nil:
		return fmt.Errorf("an identity policy needs resources")
	case of == resource && len(s.Principals) == 0:
		return fmt.Errorf("a resource policy needs principals")
	}
	for _, p := range s.Principals {
		if !slices.Contains([]string{"Service", "AWS", "Federated", "*"}, p.Type) || p.ID != "*" && strings.ContainsAny(p.ID, "*?") {
			return fmt.Errorf("principal %s %q is not known", p.Type, p.ID)
		}
	}
	return nil
}

// principal tells whether the statement names the one who asks.
func (s *Statement) principal(who Principal) match {
	best := no
	for _, p := range s.Principals {
		switch {
		case p.Type == "*" || p.Type == "AWS" && p.ID == "*":
			best = yes
		case p == who:
			best = yes
		case p.Type == "AWS" && who.Type == "AWS" && isRoot(p.ID) && account(p) == account(who):
			best = max(best, delegated)
		}
	}
	return best
}

// account is the account of a role, user or root; "" for a service and for anybody.
func account(p Principal) string {
	parts := strings.SplitN(p.ID, ":", 6)
	switch {
	case p.Type != "AWS":
		return ""
	case len(parts) == 6:
		return parts[4]
	}
	return p.ID // an account is also named by its number alone
}

func isRoot(id string) bool { return strings.HasSuffix(id, ":root") || !strings.Contains(id, ":") }

// resourceMatches compares an ARN. AWS lets a * reach beyond its part of the ARN only at the part's end.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func resourceMatches(pattern, arn string, wide bool) bool {
	if wide || pattern == "*" {
		return glob(pattern, arn)
	}
	var b strings.Builder
	for i, c := range pattern {
		switch rest := pattern[i+1:]; {
		case c == '*' && (rest == "" || rest[0] == ':'):
			b.WriteString(".*")
		case c == '*':
			b.WriteString("[^:]*")
		case c == '?':
			b.WriteString("[^:]")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return compiled(b.String()).MatchString(arn)
}

// glob compares with * for anything and ? for one character.
func glob(pattern, text string) bool {
	if !strings.ContainsAny(pattern, "*?") {
		return pattern == text
	}
	quoted := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	return compiled(quoted).MatchString(text)
}

var expressions sync.Map

func compiled(expression string) *regexp.Regexp {
	if found, ok := expressions.Load(expression); ok {
		return found.(*regexp.Regexp)
	}
	made := regexp.MustCompile(`(?s)\A` + expression + `\z`)
	expressions.Store(expression, made)
	return made
}
