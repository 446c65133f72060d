package planreview

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// documents are the policies that are put together during the apply because something in them is not known before: the
// statements of the data source stand in the plan all the same.
type documents struct {
	// refers is the data source behind an attribute, by "address attribute".
	refers map[string]string
	values map[string]map[string]any
	// given are the attributes that the configuration has, by "address attribute"; AWS makes up the others. It is nil where the
	// plan has no configuration.
	given map[string]bool
}

const policyDocument = "aws_iam_policy_document"

func newDocuments(plan *tfjson.Plan) documents {
	d := documents{refers: map[string]string{}, values: map[string]map[string]any{}}
	for _, rc := range plan.ResourceChanges {
		if rc.Mode == tfjson.DataResourceMode && rc.Type == policyDocument && rc.Change != nil {
			d.values[rc.Address], _ = mask(rc.Change.After, rc.Change.AfterSensitive, rc.Change.AfterUnknown).(map[string]any)
		}
	}
	if plan.Config == nil || plan.Config.RootModule == nil {
		return d
	}
	d.given = map[string]bool{}
	for _, r := range plan.Config.RootModule.Resources {
		for attribute, e := range r.Expressions {
			if e == nil || e.ExpressionData == nil {
				continue
			}
			d.given[r.Address+" "+attribute] = true
			for _, reference := range e.References {
				if strings.HasPrefix(reference, "data."+policyDocument+".") && strings.Count(reference, ".") == 2 {
					d.refers[r.Address+" "+attribute] = reference
				}
			}
		}
	}
	return d
}

// of is the policy that is known only after the apply. Of what modules hold, the configuration is elsewhere.
func (d documents) of(address, attribute string) policy {
	key := index.ReplaceAllString(address, "") + " " + attribute
	if values, ok := d.values[d.refers[key]]; ok {
		return policyOfDocument(values)
	}
	return policy{opaque: d.given == nil || d.given[key] || strings.HasPrefix(address, "module.")}
}

var index = regexp.MustCompile(`\[[^\]]*\]$`)

// policy is the statements of one document.
type policy struct {
	statements []statement
	// opaque tells that the document is not known, or not one.
	opaque bool
}

type statement struct {
	sid        string
	allow      bool
	principals []string
	actions    []string
	resources  []string
	// conditions are the tests by "operator key", each with its values.
	conditions map[string][]string
	// inverted are NotAction, NotResource and NotPrincipal: they mean everything but.
	inverted []string
}

// compared is one policy of a resource, before and after.
type compared struct {
	attribute     string
	before, after policy
}

var policyAttributes = []string{"policy", "assume_role_policy", "access_policy", "resource_policy"}

func policiesOf(c Change, d documents) []compared {
	var all []compared
	for _, attribute := range policyAttributes {
		before, after := c.before[attribute], c.after[attribute]
		if empty(before) && empty(after) || text(before) == text(after) && text(after) != "" {
			continue
		}
		p := compared{attribute: attribute, before: policyOf(before), after: policyOf(after)}
		if after == hole(unknown) {
			p.after = d.of(c.Address, attribute)
		}
		all = append(all, p)
	}
	for _, name := range keys(inlinePolicies(c.before), inlinePolicies(c.after)) {
		p := compared{
			attribute: "inline_policy." + name,
			before:    policyOf(inlinePolicies(c.before)[name]), after: policyOf(inlinePolicies(c.after)[name]),
		}
		all = append(all, p)
	}
	return all
}

func inlinePolicies(v map[string]any) map[string]any {
	all := map[string]any{}
	for _, one := range asList(v["inline_policy"]) {
		if m := asMap(one); !empty(m["policy"]) {
			all[show(m["name"])] = m["policy"]
		}
	}
	return all
}

func policyOf(value any) policy {
	if empty(value) {
		return policy{}
	}
	doc, ok := document(value).(map[string]any)
	if !ok {
		return policy{opaque: true}
	}
	var p policy
	for _, one := range listOf(doc["Statement"]) {
		m := asMap(one)
		if m == nil {
			return policy{opaque: true}
		}
		s := statement{sid: text(m["Sid"]), allow: m["Effect"] != "Deny", conditions: map[string][]string{}}
		s.actions, s.resources = words(m["Action"]), words(m["Resource"])
		s.principals = principals(m["Principal"])
		for _, not := range []string{"NotAction", "NotResource", "NotPrincipal"} {
			if m[not] != nil {
				s.inverted = append(s.inverted, not+" "+encode(m[not]))
			}
		}
		for operator, tests := range asMap(m["Condition"]) {
			for key, values := range asMap(tests) {
				s.conditions[operator+" "+strings.ToLower(key)] = words(values)
			}
		}
		p.statements = append(p.statements, s)
	}
	return p
}

// inversions are the data source's arguments that become a statement's elements of these names.
var inversions = map[string]string{
	"not_actions": "NotAction", "not_resources": "NotResource", "not_principals": "NotPrincipal",
}

// policyOfDocument reads a data source's arguments.
func policyOfDocument(v map[string]any) policy {
	var p policy
	for _, one := range asList(v["statement"]) {
		m := asMap(one)
		s := statement{
			sid: text(m["sid"]), allow: m["effect"] != "Deny", actions: words(m["actions"]), resources: words(m["resources"]),
			conditions: map[string][]string{},
		}
		for _, block := range asList(m["principals"]) {
			typ := show(asMap(block)["type"])
			for _, id := range words(asMap(block)["identifiers"]) {
				if typ == "*" {
					typ = "AWS" // anybody, either way
				}
				s.principals = append(s.principals, typ+" "+id)
			}
		}
		slices.Sort(s.principals)
		for argument, name := range inversions {
			if !empty(m[argument]) && m[argument] != hole(unknown) {
				s.inverted = append(s.inverted, name+" "+encode(m[argument]))
			}
		}
		slices.Sort(s.inverted)
		for _, block := range asList(m["condition"]) {
			b := asMap(block)
			s.conditions[show(b["test"])+" "+strings.ToLower(show(b["variable"]))] = words(b["values"])
		}
		p.statements = append(p.statements, s)
	}
	for _, key := range []string{"source_policy_documents", "override_policy_documents"} {
		p.opaque = p.opaque || !empty(v[key]) && v[key] != hole(unknown)
	}
	return p
}

func listOf(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// words are the strings of a value that may be one or a list, sorted.
func words(v any) []string {
	var all []string
	for _, one := range listOf(v) {
		all = append(all, show(one))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func principals(v any) []string {
	if v == "*" {
		return []string{"AWS *"}
	}
	var all []string
	for typ, ids := range asMap(v) {
		for _, id := range words(ids) {
			all = append(all, typ+" "+id)
		}
	}
	slices.Sort(all)
	return all
}

func (s statement) anybody() bool {
	return slices.Contains(s.principals, "AWS *")
}

// covers tells whether the statement is granted already, whole.
func (p policy) covers(s statement) bool {
	return len(p.missing(s, true)) == 0
}

// missing are the grants of a statement that a policy has not, one by one.
func (p policy) missing(s statement, withConditions bool) []grant {
	var rest []grant
	for _, g := range s.grants() {
		if !slices.ContainsFunc(p.statements, func(o statement) bool { return o.allow == s.allow && o.has(g, s, withConditions) }) {
			rest = append(rest, g)
		}
	}
	return rest
}

// grant is one thing that one principal may do to one resource.
type grant struct{ principal, action, resource string }

func (s statement) grants() []grant {
	or := func(list []string) []string {
		if len(list) == 0 {
			return []string{""}
		}
		return list
	}
	var all []grant
	for _, p := range or(s.principals) {
		for _, a := range or(s.actions) {
			for _, r := range or(s.resources) {
				all = append(all, grant{p, a, r})
			}
		}
	}
	return all
}

func (s statement) has(g grant, of statement, withConditions bool) bool {
	if !slices.Equal(s.inverted, of.inverted) {
		return false
	}
	in := func(list []string, word string, fold bool) bool {
		if len(list) == 0 {
			return word == ""
		}
		return slices.ContainsFunc(list, func(pattern string) bool { return matches(pattern, word, fold) })
	}
	return in(s.principals, g.principal, false) && in(s.actions, g.action, true) && in(s.resources, g.resource, false) &&
		(!withConditions || s.looser(of))
}

// looser tells whether what fulfils the other's conditions fulfils these: each is there, with no other values. A Deny is
// read the same way: it holds in fewer cases the more conditions it has.
func (s statement) looser(other statement) bool {
	for key, values := range s.conditions {
		theirs, ok := other.conditions[key]
		if !ok {
			return false
		}
		if strings.Contains(key, "Not") || strings.HasPrefix(key, "ForAllValues") {
			if !slices.Equal(values, theirs) {
				return false
			}
			continue
		}
		for _, v := range theirs {
			if !slices.Contains(values, v) {
				return false
			}
		}
	}
	return true
}

// matches is IAM's matching, of a pattern with another: what the pattern's * stands for may hold one itself.
func matches(pattern, word string, fold bool) bool {
	if pattern == unknown || word == unknown {
		return false
	}
	if fold {
		pattern, word = strings.ToLower(pattern), strings.ToLower(word)
	}
	p, w, star, mark := 0, 0, -1, 0
	for w < len(word) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, w
			p++
		case p < len(pattern) && (pattern[p] == word[w] || pattern[p] == '?' && word[w] != '*'):
			p++
			w++
		case star >= 0:
			mark++
			p, w = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// permissions are what a change lets somebody do; gone are the groups that a store of data leaves, with the policies on it.
func permissions(c Change, d documents, gone map[string]bool) []note {
	var found []note
	for _, p := range policiesOf(c, d) {
		found = append(found, p.widened(withResource(c, gone))...)
	}
	found = append(found, attached(c)...)
	return found
}

// attached are managed policies, and the boundary of what a role may get.
func attached(c Change) []note {
	var found []note
	if strings.HasSuffix(c.Type, "_policy_attachment") && c.after != nil && c.Action != Import {
		if arn := show(c.after["policy_arn"]); arn != show(c.before["policy_arn"]) || show(c.after["role"]) != show(c.before["role"]) {
			found = append(found, note{text: "attaches the policy " + arn})
		}
	}
	for _, arn := range words(c.after["managed_policy_arns"]) {
		if !slices.Contains(words(c.before["managed_policy_arns"]), arn) && arn != unknown {
			found = append(found, note{text: "attaches the policy " + arn})
		}
	}
	if b := show(c.before["permissions_boundary"]); b != "" && c.after != nil && show(c.after["permissions_boundary"]) != b {
		after := show(c.after["permissions_boundary"])
		if after == "" {
			after = "none"
		}
		found = append(found, note{text: fmt.Sprintf("the permissions boundary goes from %s to %s", b, after)})
	}
	if c.Type == "aws_lambda_permission" && c.after["principal"] == "*" && c.before["principal"] != "*" {
		found = append(found, note{text: "anybody may " + show(c.after["action"])})
	}
	if strings.HasPrefix(c.Type, "aws_iam_") && (c.Type == "aws_iam_access_key" || c.Type == "aws_iam_user") && c.before == nil {
		found = append(found, note{text: "creates " + noun(c) + ": long-lived credentials"})
	}
	return found
}

// same tells whether both documents grant and deny the same.
func (p compared) same() bool {
	if p.before.opaque || p.after.opaque {
		return false
	}
	for _, s := range p.before.statements {
		if !p.after.covers(s) {
			return false
		}
	}
	for _, s := range p.after.statements {
		if !p.before.covers(s) {
			return false
		}
	}
	return true
}

// grants are what a document gives that another does not, a line for each statement.
func (p policy) grants(other policy) []string {
	var lines []string
	for _, s := range p.statements {
		rest := other.missing(s, true)
		if len(rest) == 0 {
			continue
		}
		line := s.sentence(rest)
		if s.sid != "" {
			line = s.sid + ": " + line
		}
		lines = append(lines, line)
	}
	return lines
}

// lateLines replaces the attributes whose policies are put together during the apply by what these will say.
func (c *Change) lateLines(d documents) {
	for _, p := range policiesOf(*c, d) {
		i := slices.IndexFunc(c.Attributes, func(a Attribute) bool { return a.Path == p.attribute && a.computed() })
		if i < 0 || p.after.opaque || p.before.opaque {
			continue
		}
		if p.same() {
			c.Attributes[i].again = true
			continue
		}
		c.Attributes = slices.Delete(c.Attributes, i, i+1)
		for _, line := range p.after.grants(p.before) {
			c.Attributes = append(c.Attributes, Attribute{Path: p.attribute, After: line, after: line})
		}
		for _, line := range p.before.grants(p.after) {
			c.Attributes = append(c.Attributes, Attribute{Path: p.attribute, Before: line, before: line})
		}
	}
	c.TagsOnly = c.Action == Update && len(c.Attributes) > 0 && !slices.ContainsFunc(c.Attributes,
		func(a Attribute) bool { return !a.tag() && !a.again })
}

// withResource tells whether a policy comes or goes with what it is for. What comes has no id yet.
func withResource(c Change, gone map[string]bool) bool {
	if c.Action == Destroy {
		return gone[c.Group]
	}
	return !slices.ContainsFunc([]string{"role", "user", "group", "queue_url", "secret_arn"},
		func(key string) bool { return text(c.after[key]) != "" })
}

// widened are the grants that were not there. Those of what is new are minor, and so are the denials that go with what is
// destroyed.
func (p compared) widened(comesOrGoes bool) []note {
	if p.after.opaque {
		return []note{{text: p.attribute + " is known only after the apply, and what it is made of is not in the plan: read the code"}}
	}
	before := p.before
	if before.opaque {
		return []note{{text: p.attribute + " cannot be compared: what it was is not to be seen"}}
	}
	created := len(before.statements) == 0 && comesOrGoes
	var found []note
	for _, s := range p.after.statements {
		if !s.allow {
			continue
		}
		rest := before.missing(s, true)
		if len(rest) == 0 {
			continue
		}
		label := p.attribute
		if s.sid != "" {
			label += " " + s.sid
		}
		if len(before.missing(s, false)) == 0 {
			found = append(found, note{text: fmt.Sprintf("%s: fewer conditions or other values for %s: now %s", label,
				brief(actionsOf(rest), 6), s.when())})
			continue
		}
		n := note{text: label + ": " + s.sentence(rest), minor: created && (!wide(rest, s) || len(s.conditions) > 0)}
		found = append(found, n)
	}
	// What was denied and is not any more is allowed wherever something else allows it.
	for _, s := range before.statements {
		if s.allow {
			continue
		}
		if rest := undenied(p.after, s); len(rest) > 0 {
			text := fmt.Sprintf("%s no longer denies %s", p.attribute, brief(actionsOf(rest), 6))
			found = append(found, note{text: text, minor: comesOrGoes && len(p.after.statements) == 0})
		}
	}
	return found
}

// undenied are the denials of before that no Deny of after makes in as many cases.
func undenied(after policy, s statement) []grant {
	var rest []grant
	for _, g := range s.grants() {
		if !slices.ContainsFunc(after.statements, func(o statement) bool { return !o.allow && o.has(g, s, true) }) {
			rest = append(rest, g)
		}
	}
	return rest
}

// wide tells whether a grant is for more than one names.
func wide(rest []grant, s statement) bool {
	if len(s.inverted) > 0 {
		return true
	}
	return slices.ContainsFunc(rest, func(g grant) bool {
		return strings.Contains(g.action, "*") || strings.HasSuffix(g.principal, " *")
	})
}

func actionsOf(grants []grant) []string {
	return distinct(grants, func(g grant) string { return g.action })
}

func distinct(grants []grant, of func(grant) string) []string {
	set := map[string]bool{}
	for _, g := range grants {
		if word := of(g); word != "" {
			set[word] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// sentence says what is granted, to whom, on what and when.
func (s statement) sentence(rest []grant) string {
	var b strings.Builder
	if who := distinct(rest, func(g grant) string { return g.principal }); len(who) > 0 {
		b.WriteString(brief(who, 4) + " ")
	}
	if s.allow {
		b.WriteString("may ")
	} else {
		b.WriteString("may not ")
	}
	if actions := actionsOf(rest); len(actions) > 0 {
		b.WriteString(brief(actions, 6))
	} else {
		b.WriteString("do everything but what is named")
	}
	if on := distinct(rest, func(g grant) string { return g.resource }); len(on) > 0 {
		b.WriteString(" on " + brief(on, 4))
	}
	if len(s.inverted) > 0 {
		b.WriteString(" with " + strings.Join(s.inverted, ", "))
	}
	if len(s.conditions) > 0 {
		b.WriteString(" " + s.when())
	}
	return b.String()
}

func (s statement) when() string {
	if len(s.conditions) == 0 {
		return "without a condition"
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.conditions)) {
		all = append(all, key+" "+brief(s.conditions[key], 3))
	}
	return "when " + strings.Join(all, " and ")
}
