package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"
)

// PlanFile is where Plan leaves the plan for Apply; git ignores it.
const PlanFile = "live.tfplan"

// Plan is what an apply would do.
type Plan struct {
	Changes []Change
}

// Change is one resource or output an apply would touch.
type Change struct {
	Address string
	// Action is Terraform's word: create, update, delete, replace, read, or output.
	Action string
	// Attributes are what differs, each as "path: before -> after"; sensitive values stay hidden.
	Attributes []string
}

func (c Change) String() string {
	if len(c.Attributes) == 0 {
		return c.Action + " " + c.Address
	}
	return c.Action + " " + c.Address + "\n      " + strings.Join(c.Attributes, "\n      ")
}

// Empty tells whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Changes) == 0 }

// Count is how many resources the plan would treat with one of the actions.
func (p Plan) Count(actions ...string) int {
	n := 0
	for _, c := range p.Changes {
		if slices.Contains(actions, c.Action) {
			n++
		}
	}
	return n
}

// String lists the changes, one a line, the attributes of each indented below it.
func (p Plan) String() string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	return b.String()
}

// Plan compares the configuration with the world and leaves the plan in PlanFile.
func (s *Stack) Plan(ctx context.Context, opts ...tfexec.PlanOption) (Plan, error) {
	opts = append(opts, tfexec.Out(PlanFile))
	changed, err := s.tf.Plan(ctx, opts...)
	if err != nil {
		return Plan{}, s.wrap(ctx, "plan", err)
	}
	if !changed {
		return Plan{}, os.Remove(s.Path(PlanFile))
	}
	shown, err := s.tf.ShowPlanFile(ctx, PlanFile)
	if err != nil {
		return Plan{}, s.wrap(ctx, "show", err)
	}
	plan := changes(shown)
	if plan.Empty() {
		// Terraform says there is something to do: never report that as nothing.
		return plan, fmt.Errorf("terraform plan in %s finds changes but lists none: run terraform plan there and read them", s.Dir)
	}
	return plan, nil
}

// Diff is Plan for those who only want to know.
func (s *Stack) Diff(ctx context.Context, opts ...tfexec.PlanOption) (Plan, error) {
	plan, err := s.Plan(ctx, opts...)
	os.Remove(s.Path(PlanFile))
	return plan, err
}

// ApplyPlan applies what Plan found, exactly that, and removes the plan file.
func (s *Stack) ApplyPlan(ctx context.Context) error {
	err := s.Apply(ctx, tfexec.DirOrPlan(PlanFile), tfexec.LockTimeout("1m"))
	os.Remove(s.Path(PlanFile))
	return err
}

func changes(plan *tfjson.Plan) Plan {
	var p Plan
	for _, r := range plan.ResourceChanges {
		if r.Change.Actions.NoOp() && r.Change.Importing == nil && (r.PreviousAddress == "" || r.PreviousAddress == r.Address) {
			continue
		}
		p.Changes = append(p.Changes, Change{Address: r.Address, Action: action(r.Change.Actions), Attributes: attributes(r.Change)})
	}
	for _, name := range slices.Sorted(maps.Keys(plan.OutputChanges)) {
		if c := plan.OutputChanges[name]; !c.Actions.NoOp() {
			p.Changes = append(p.Changes, Change{Address: name, Action: "output"})
		}
	}
	return p
}

func action(a tfjson.Actions) string {
	if a.Replace() {
		return "replace"
	}
	words := make([]string, len(a))
	for i, one := range a {
		words[i] = string(one)
	}
	return strings.Join(words, "+")
}

// attributes lists what differs in an update or replacement; in a creation everything would.
func attributes(c *tfjson.Change) []string {
	if !c.Actions.Update() && !c.Actions.Replace() {
		return nil
	}
	var d differ
	d.walk("", c.Before, c.After, c.AfterUnknown, hidden{c.BeforeSensitive, c.AfterSensitive})
	return d.lines
}

type differ struct{ lines []string }

// hidden mirrors the shape of the values, with true where one is sensitive.
type hidden struct{ before, after any }

func (h hidden) at(key string) hidden { return hidden{child(h.before, key), child(h.after, key)} }

func (d *differ) walk(path string, before, after, unknown any, secret hidden) {
	if secret.before == true || secret.after == true {
		if !reflect.DeepEqual(before, after) || unknown == true {
			d.lines = append(d.lines, path+": (sensitive)")
		}
		return
	}
	if unknown == true {
		d.lines = append(d.lines, fmt.Sprintf("%s: %s -> (known after apply)", path, short(before)))
		return
	}
	keys := keysOf(before, after, unknown)
	if keys == nil {
		if !same(before, after) {
			d.lines = append(d.lines, fmt.Sprintf("%s: %s -> %s", path, short(before), short(after)))
		}
		return
	}
	for _, key := range keys {
		d.walk(strings.TrimPrefix(path+"."+key, "."), child(before, key), child(after, key), child(unknown, key), secret.at(key))
	}
}

// same tells whether two values are equal, documents of JSON by what they say and not by how they are written: a replacement
// lists every attribute whose text differs.
func same(before, after any) bool {
	var documents [2]any
	for i, value := range []any{before, after} {
		text, isText := value.(string)
		if !isText || !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") || json.Unmarshal([]byte(text), &documents[i]) != nil {
			return reflect.DeepEqual(before, after)
		}
	}
	return reflect.DeepEqual(documents[0], documents[1])
}

// keysOf are the keys below which two values are to be compared, nil where they are compared as a whole.
func keysOf(before, after, unknown any) []string {
	for _, value := range []any{before, after} {
		switch value.(type) {
		case nil, map[string]any, []any:
		default:
			return nil
		}
	}
	all := map[string]bool{}
	for _, value := range []any{before, after, unknown} {
		switch v := value.(type) {
		case map[string]any:
			for key := range v {
				all[key] = true
			}
		case []any:
			for i := range v {
				all[fmt.Sprint(i)] = true
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(all))
}

func child(value any, key string) any {
	switch v := value.(type) {
	case map[string]any:
		return v[key]
	case []any:
		var i int
		if _, err := fmt.Sscan(key, &i); err == nil && i < len(v) {
			return v[i]
		}
	case bool:
		return v // the whole value is unknown or sensitive
	}
	return nil
}

func short(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	if len(text) > 120 {
		return string(text[:117]) + "..."
	}
	return string(text)
}
