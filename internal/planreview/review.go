// Package planreview turns Terraform's plan into what a reviewer can decide from.
//
//	terraform show -json PLAN -> Read -> Review -> Markdown  for the pull request
//	                                            -> Verdict   for the pipeline
//	                          -> Stale                       before the plan is applied
//
// What would lose data, open the network or widen permissions is found by comparing the values before and after, not by
// looking at the code. Sensitive values are masked while reading, before anything else sees them.
package planreview

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// ApproveDataLoss is the label a pull request needs when its plan may lose data.
const ApproveDataLoss = "approve-data-loss"

// Action is what happens to a resource.
type Action string

// The actions, in the order in which they are shown.
const (
	Destroy Action = "destroy"
	Replace Action = "replace"
	Update  Action = "change"
	Create  Action = "create"
	Forget  Action = "forget"
	Import  Action = "import"
	Move    Action = "move"
	keep    Action = ""
)

var actions = []Action{Destroy, Replace, Update, Create, Forget, Import, Move}

// Change is one resource of the plan.
type Change struct {
	Address, Type string
	// Group is the part of the platform, e.g. "services/orders"; Construct is the resource's path within it.
	Group, Construct string
	Action           Action
	// Attributes are what differs in an update or a replacement, sorted by their paths.
	Attributes []Attribute
	// TagsOnly tells that nothing but tags differ; policies may be put together again, to say the same.
	TagsOnly bool
	// ReplacedFor are the attributes that cannot be changed in place.
	ReplacedFor []string

	before, after map[string]any
}

// Finding is something to look at before approving.
type Finding struct {
	Address string `json:"address"`
	Path    string `json:"path"`
	Text    string `json:"text"`
	// Minor tells that it comes or goes with its resource, and opens or widens nothing that stays: it is shown folded.
	Minor bool `json:"minor"`
}

// Review is what a plan would do.
type Review struct {
	// Name is the environment or the stack.
	Name    string
	Changes []Change
	// Outputs are the names of the stack's outputs that change.
	Outputs                []string
	DataLoss, Network, IAM []Finding
	Cost                   Cost
	// Partial tells that the plan leaves something out, as with -target.
	Partial bool
}

// Options say what is not in the plan.
type Options struct {
	// Name is the environment or the stack.
	Name string
	// Stack is the synthesized JSON, which has the constructs' paths.
	// Defaults to reading them out of the resources' names.
	Stack []byte
}

// Read reviews the output of terraform show -json.
func Read(text []byte, o Options) (*Review, error) {
	plan, err := parse(text)
	if err != nil {
		return nil, err
	}
	places, err := newPlaces(o.Stack)
	if err != nil {
		return nil, err
	}
	r := &Review{Name: o.Name, Partial: plan.Complete != nil && !*plan.Complete}
	documents := newDocuments(plan)
	var all []Change
	for _, rc := range plan.ResourceChanges {
		if rc.Mode != tfjson.ManagedResourceMode || rc.Change == nil {
			continue
		}
		c := newChange(rc, places)
		c.lateLines(documents)
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b Change) int {
		return strings.Compare(a.Group+"\x00"+a.Construct+"\x00"+a.Address, b.Group+"\x00"+b.Construct+"\x00"+b.Address)
	})
	gone := map[string]bool{}
	for _, c := range all {
		if _, store := stores[c.Type]; store && c.Action == Destroy {
			gone[c.Group] = true
		}
	}
	for _, c := range all {
		if c.Action == keep {
			continue
		}
		r.Changes = append(r.Changes, c)
		r.DataLoss = append(r.DataLoss, c.findings(dataLoss(c))...)
		r.Network = append(r.Network, c.findings(network(c, documents))...)
		r.IAM = append(r.IAM, c.findings(permissions(c, documents, gone))...)
	}
	for _, list := range [][]Finding{r.DataLoss, r.Network, r.IAM} {
		slices.SortStableFunc(list, func(a, b Finding) int { return boolToInt(a.Minor) - boolToInt(b.Minor) })
	}
	for name, c := range plan.OutputChanges {
		if c != nil && !c.Actions.NoOp() {
			r.Outputs = append(r.Outputs, name)
		}
	}
	slices.Sort(r.Outputs)
	r.Cost = newCost(all, subnetsOf(plan))
	return r, nil
}

func parse(text []byte) (*tfjson.Plan, error) {
	var state struct {
		Errored bool `json:"errored"`
	}
	var plan tfjson.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		return nil, fmt.Errorf("this is not the output of terraform show -json PLAN: %w", err)
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return nil, err
	}
	if state.Errored {
		return nil, errors.New("the plan ended with an error: mend that and plan again")
	}
	return &plan, nil
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func newChange(rc *tfjson.ResourceChange, places places) Change {
	c := Change{Address: rc.Address, Type: rc.Type, Action: actionOf(rc)}
	c.Group, c.Construct = places.of(rc)
	before, _ := mask(rc.Change.Before, rc.Change.BeforeSensitive, nil).(map[string]any)
	after, _ := mask(rc.Change.After, rc.Change.AfterSensitive, rc.Change.AfterUnknown).(map[string]any)
	c.before, c.after = before, after
	if c.Action != Update && c.Action != Replace {
		return c
	}
	d := differ{}
	d.walk("", side{rc.Change.Before, rc.Change.BeforeSensitive, nil},
		side{rc.Change.After, rc.Change.AfterSensitive, rc.Change.AfterUnknown})
	c.Attributes = d.found
	for _, path := range rc.Change.ReplacePaths {
		c.ReplacedFor = append(c.ReplacedFor, joinPath(path))
	}
	slices.Sort(c.ReplacedFor)
	return c
}

func actionOf(rc *tfjson.ResourceChange) Action {
	a := rc.Change.Actions
	switch {
	case a.Replace():
		return Replace
	case a.Create():
		return Create
	case a.Delete():
		return Destroy
	case a.Forget():
		return Forget
	case a.Update():
		return Update
	case rc.Change.Importing != nil:
		return Import
	case rc.PreviousAddress != "" && rc.PreviousAddress != rc.Address:
		return Move
	}
	return keep
}

func joinPath(path any) string {
	steps, _ := path.([]any)
	words := make([]string, len(steps))
	for i, step := range steps {
		words[i] = fmt.Sprint(step)
	}
	return strings.Join(words, ".")
}

// Path is the group and the construct.
func (c Change) Path() string { return c.Group + "/" + c.Construct }

func (c Change) findings(found []note) []Finding {
	var all []Finding
	for _, n := range found {
		all = append(all, Finding{Address: c.Address, Path: c.Path(), Text: n.text, Minor: n.minor})
	}
	return all
}

// note is a finding about a resource that is known.
type note struct {
	text  string
	minor bool
}

// Count is how many resources are treated this way; tags-only changes are among the changed ones.
func (r *Review) Count(a Action) int {
	n := 0
	for _, c := range r.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// TagsOnly is how many of the changed resources get other tags and nothing else.
func (r *Review) TagsOnly() int {
	n := 0
	for _, c := range r.Changes {
		if c.TagsOnly {
			n++
		}
	}
	return n
}
