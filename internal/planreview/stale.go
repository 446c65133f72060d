package planreview

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	tfjson "github.com/hashicorp/terraform-json"
)

// Stale names what two plans of a stack would not do alike; none where the fresh one does what the approved one does.
//
// Terraform refuses a saved plan when the state has changed since. It does not notice what leaves the state alone: a release,
// whose image the saved plan would take back, or a change in AWS's console.
func Stale(approved, fresh []byte, o Options) ([]string, error) {
	places, err := newPlaces(o.Stack)
	if err != nil {
		return nil, err
	}
	var does [2]map[string]effect
	for i, text := range [][]byte{approved, fresh} {
		plan, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("the %s plan: %w", []string{"approved", "fresh"}[i], err)
		}
		does[i] = effects(plan, places)
	}
	changed := map[string]bool{}
	for i, all := range does {
		for key, e := range all {
			if other, ok := does[1-i][key]; !ok || !e.same(other) {
				changed[e.name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(changed)), nil
}

// effect is what a plan does to one resource or output.
type effect struct {
	name       string
	actions    tfjson.Actions
	previous   string
	importing  *tfjson.Importing
	attributes []Attribute
}

// effects are what the plan does, by address.
func effects(plan *tfjson.Plan, places places) map[string]effect {
	all := map[string]effect{}
	for _, rc := range plan.ResourceChanges {
		if rc.Mode != tfjson.ManagedResourceMode || rc.Change == nil {
			continue
		}
		action := actionOf(rc)
		if action == keep {
			continue
		}
		group, construct := places.of(rc)
		e := effect{
			name: group + "/" + construct, actions: rc.Change.Actions, previous: rc.PreviousAddress, importing: rc.Change.Importing,
		}
		// What goes is gone whatever its values were.
		if action != Destroy && action != Forget {
			e.attributes = attributes(rc.Change)
		}
		all[rc.Address+"\x00"+rc.DeposedKey] = e
	}
	for name, c := range plan.OutputChanges {
		if c != nil && !c.Actions.NoOp() {
			all["output "+name] = effect{name: "output " + name, actions: c.Actions, attributes: attributes(c)}
		}
	}
	return all
}

// attributes are what differs, and of what is replaced all that the new one gets: an image, too, that is the old one's.
// Sensitive values are as they are: they are compared and never shown.
func attributes(c *tfjson.Change) []Attribute {
	d, after := differ{}, side{value: c.After, later: c.AfterUnknown}
	d.walk("", side{value: c.Before}, after)
	if c.Actions.Replace() {
		d.walk("", side{}, after)
	}
	return d.found
}

func (e effect) same(o effect) bool {
	return slices.Equal(e.actions, o.actions) && e.previous == o.previous && reflect.DeepEqual(e.importing, o.importing) &&
		slices.EqualFunc(e.attributes, o.attributes, func(a, b Attribute) bool {
			return a.Path == b.Path && reflect.DeepEqual(a.after, b.after) &&
				(reflect.DeepEqual(a.before, b.before) || moment(a.before) && moment(b.before))
		})
}

// moment tells whether a value is a time. RDS says every five minutes of another one that it could restore to it.
func moment(v any) bool {
	_, err := time.Parse(time.RFC3339, text(v))
	return err == nil
}
