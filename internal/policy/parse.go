package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Parse reads the statements of a policy as IAM keeps and returns it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func Parse(document []byte) ([]Statement, error) {
	var policy struct {
		Version   string
		ID        string `json:"Id"`
		Statement many[written]
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&policy); err != nil {
		return nil, fmt.Errorf("the policy cannot be read: %w", err)
	}
	var statements []Statement
	for _, w := range policy.Statement {
		s, err := w.statement()
		if err != nil {
			return nil, fmt.Errorf("statement %q: %w", w.Sid, err)
		}
		statements = append(statements, s)
	}
	if len(statements) == 0 {
		return nil, fmt.Errorf("the policy has no statements")
	}
	return statements, nil
}

// written is a statement in IAM's own words.
type written struct {
	Sid, Effect                              string
	Principal                                principals
	Action, NotAction, Resource, NotResource many[string]
	Condition                                map[string]map[string]many[value]
}

func (w written) statement() (Statement, error) {
	s := Statement{
		Sid: w.Sid, Deny: w.Effect == "Deny", Principals: w.Principal,
		Actions: w.Action, NotActions: w.NotAction, Resources: w.Resource, NotResources: w.NotResource,
	}
	if w.Effect != "Deny" && w.Effect != "Allow" {
		return s, fmt.Errorf("effect %q is not known", w.Effect)
	}
	for _, test := range slices.Sorted(maps.Keys(w.Condition)) {
		for _, variable := range slices.Sorted(maps.Keys(w.Condition[test])) {
			c := Condition{Test: test, Variable: variable}
			for _, v := range w.Condition[test][variable] {
				c.Values = append(c.Values, string(v))
			}
			s.Conditions = append(s.Conditions, c)
		}
	}
	texts := slices.Concat(s.Resources, s.NotResources)
	for _, c := range s.Conditions {
		texts = append(texts, c.Values...)
	}
	for _, text := range texts {
		if strings.Contains(text, "${") {
			return s, fmt.Errorf("policy variables are not known: %q", text)
		}
	}
	return s, nil
}

// many is one or a list of them.
type many[T any] []T

// UnmarshalJSON reads both.
func (m *many[T]) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return strict(data, (*[]T)(m))
	}
	*m = make([]T, 1)
	return strict(data, &(*m)[0])
}

// value is that of a condition: IAM also takes true and 1 for "true" and "1".
type value string

// UnmarshalJSON reads each as its text.
func (v *value) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		return json.Unmarshal(data, (*string)(v))
	}
	*v = value(data)
	return nil
}

// principals are "*" or identifiers by their type.
type principals []Principal

// UnmarshalJSON reads both.
func (p *principals) UnmarshalJSON(data []byte) error {
	if string(data) == `"*"` {
		*p = principals{{Type: "*", ID: "*"}}
		return nil
	}
	var byType map[string]many[string]
	if err := json.Unmarshal(data, &byType); err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(byType)) {
		for _, id := range byType[kind] {
			*p = append(*p, Principal{Type: kind, ID: id})
		}
	}
	return nil
}

func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
