package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Condition limits a statement.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type Condition struct {
	// Test is the operator, e.g. "ForAnyValue:StringLike".
	Test string
	// Variable is the condition key, in any case.
	Variable string
	// Values are alternatives; of a negated operator none may match.
	Values []string
}

// operator compares one value of the policy with one of the request.
type operator struct {
	compare func(policy, request string) (bool, error)
	// negated operators hold when no value matches, and when the key is missing.
	negated bool
}

var operators = map[string]operator{
	"StringEquals":              {compare: equal},
	"StringNotEquals":           {compare: equal, negated: true},
	"StringEqualsIgnoreCase":    {compare: equalFold},
	"StringNotEqualsIgnoreCase": {compare: equalFold, negated: true},
	"StringLike":                {compare: like},
	"StringNotLike":             {compare: like, negated: true},
	"ArnEquals":                 {compare: arnLike}, // AWS: ArnEquals and ArnLike behave identically
	"ArnLike":                   {compare: arnLike},
	"ArnNotEquals":              {compare: arnLike, negated: true},
	"ArnNotLike":                {compare: arnLike, negated: true},
	"Bool":                      {compare: boolean},
	"NumericEquals":             {compare: numeric(func(p, r float64) bool { return r == p })},
	"NumericNotEquals":          {compare: numeric(func(p, r float64) bool { return r == p }), negated: true},
	"NumericLessThan":           {compare: numeric(func(p, r float64) bool { return r < p })},
	"NumericLessThanEquals":     {compare: numeric(func(p, r float64) bool { return r <= p })},
	"NumericGreaterThan":        {compare: numeric(func(p, r float64) bool { return r > p })},
	"NumericGreaterThanEquals":  {compare: numeric(func(p, r float64) bool { return r >= p })},
	"IpAddress":                 {compare: inRange},
	"NotIpAddress":              {compare: inRange, negated: true},
}

// holds tells whether the condition is met.
func (c Condition) holds(context map[string][]string) (bool, error) {
	if len(c.Values) == 0 {
		return false, fmt.Errorf("condition %s %s has no values", c.Test, c.Variable)
	}
	var values []string
	for key, v := range context {
		if strings.EqualFold(key, c.Variable) {
			values = append(values, v...)
		}
	}
	if c.Test == "Null" {
		return c.null(len(values) == 0)
	}
	test, ifExists := strings.CutSuffix(c.Test, "IfExists")
	set, name, isSet := strings.Cut(test, ":")
	if !isSet {
		set, name = "", test
	}
	op, known := operators[name]
	// What a set operator with IfExists says of a missing key, AWS does not document.
	if !known || isSet && (set != "ForAnyValue" && set != "ForAllValues" || ifExists) {
		return false, fmt.Errorf("operator %q is not known", c.Test)
	}
	matches := func(value string) (bool, error) {
		for _, v := range c.Values {
			if found, err := op.compare(v, value); err != nil || found {
				return found != op.negated, err
			}
		}
		return op.negated, nil
	}
	results := make([]bool, len(values))
	for i, v := range values {
		var err error
		if results[i], err = matches(v); err != nil {
			return false, fmt.Errorf("condition %s %s: %w", c.Test, c.Variable, err)
		}
	}
	switch {
	case len(values) == 0 && ifExists:
		return true, nil
	case set == "ForAllValues":
		return !slices.Contains(results, false), nil // true when the key is missing, as AWS says
	case set == "ForAnyValue":
		return slices.Contains(results, true), nil
	case len(values) > 1:
		return false, fmt.Errorf("condition %s %s: the request has %d values, which only ForAnyValue and ForAllValues compare",
			c.Test, c.Variable, len(values))
	case len(values) == 0:
		return op.negated, nil
	}
	return results[0], nil
}

func (c Condition) null(missing bool) (bool, error) {
	for _, v := range c.Values {
		want, err := strconv.ParseBool(v)
		if err != nil {
			return false, fmt.Errorf("condition Null %s: %q is neither true nor false", c.Variable, v)
		}
		if want == missing {
			return true, nil
		}
	}
	return false, nil
}

func equal(policy, request string) (bool, error) { return policy == request, nil }

func equalFold(policy, request string) (bool, error) { return strings.EqualFold(policy, request), nil }

func like(policy, request string) (bool, error) { return glob(policy, request), nil }

// arnLike compares the six parts of an ARN each by itself.
func arnLike(policy, request string) (bool, error) {
	pattern, arn := strings.SplitN(policy, ":", 6), strings.SplitN(request, ":", 6)
	if len(pattern) != 6 {
		return false, fmt.Errorf("%q is no ARN", policy)
	}
	if len(arn) != 6 {
		return false, nil
	}
	for i := range pattern {
		if !glob(pattern[i], arn[i]) {
			return false, nil
		}
	}
	return true, nil
}

func boolean(policy, request string) (bool, error) {
	if !slices.Contains([]string{"true", "false"}, strings.ToLower(policy)) {
		return false, fmt.Errorf("%q is neither true nor false", policy)
	}
	return strings.EqualFold(policy, request), nil
}

func numeric(compare func(policy, request float64) bool) func(policy, request string) (bool, error) {
	return func(policy, request string) (bool, error) {
		p, err := strconv.ParseFloat(policy, 64)
		if err != nil {
			return false, fmt.Errorf("%q is no number", policy)
		}
		r, err := strconv.ParseFloat(request, 64)
		return err == nil && compare(p, r), nil
	}
}

func inRange(policy, request string) (bool, error) {
	block, err := netip.ParsePrefix(policy)
	if err != nil {
		single, err := netip.ParseAddr(policy)
		if err != nil {
			return false, fmt.Errorf("%q is no address and no range", policy)
		}
		block = netip.PrefixFrom(single, single.BitLen())
	}
	address, err := netip.ParseAddr(request)
	return err == nil && block.Contains(address), nil
}
