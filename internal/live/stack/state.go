package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"
)

// State is a snapshot of what Terraform knows it made.
type State struct {
	Serial int
	// IDs maps the address of every managed resource to the id AWS gave it.
	IDs map[string]string
}

// Addresses are the managed resources in the state, sorted: what `terraform state list` prints without data sources.
func (s State) Addresses() []string { return slices.Sorted(maps.Keys(s.IDs)) }

// Missing are the resources of s that other does not hold under the same id, sorted.
func (s State) Missing(other State) []string {
	var missing []string
	for _, address := range s.Addresses() {
		if other.IDs[address] != s.IDs[address] {
			missing = append(missing, address)
		}
	}
	return missing
}

// State reads the state from the backend the folder is initialized for.
func (s *Stack) State(ctx context.Context) (State, error) {
	text, err := s.tf.StatePull(ctx)
	if err != nil {
		return State{}, s.wrap(ctx, "state pull", err)
	}
	return parseState([]byte(text))
}

// PushState copies a state file into the backend. Terraform refuses it where the backend holds another state already.
func (s *Stack) PushState(ctx context.Context, file string) error {
	return s.wrap(ctx, "state push", s.tf.StatePush(ctx, file, tfexec.LockTimeout("1m")))
}

// ReadState reads a state file.
func ReadState(file string) (State, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return State{}, err
	}
	state, err := parseState(text)
	if err != nil {
		return State{}, fmt.Errorf("%s: %w", file, err)
	}
	return state, nil
}

func parseState(text []byte) (State, error) {
	state := State{IDs: map[string]string{}}
	if len(strings.TrimSpace(string(text))) == 0 {
		return state, nil // a backend without state
	}
	var file struct {
		Serial    int `json:"serial"`
		Resources []struct {
			Module    string `json:"module"`
			Mode      string `json:"mode"`
			Type      string `json:"type"`
			Name      string `json:"name"`
			Instances []struct {
				Index      any            `json:"index_key"`
				Attributes map[string]any `json:"attributes"`
			} `json:"instances"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return state, fmt.Errorf("not a Terraform state: %w", err)
	}
	state.Serial = file.Serial
	for _, r := range file.Resources {
		if r.Mode != "managed" {
			continue
		}
		for _, instance := range r.Instances {
			address := r.Type + "." + r.Name
			if r.Module != "" {
				address = r.Module + "." + address
			}
			switch index := instance.Index.(type) {
			case string:
				address += fmt.Sprintf("[%q]", index)
			case float64:
				address += fmt.Sprintf("[%.0f]", index)
			}
			id, _ := instance.Attributes["id"].(string)
			state.IDs[address] = id
		}
	}
	return state, nil
}
