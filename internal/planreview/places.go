package planreview

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// collections are the constructs that hold one construct of a kind for each name.
var collections = map[string]bool{
	"services": true, "queues": true, "databases": true, "buckets": true, "secrets": true, "topics": true,
}

// places are the constructs' paths by the resources' addresses, without the stack's name.
type places map[string]string

func newPlaces(stack []byte) (places, error) {
	p := places{}
	if len(stack) == 0 {
		return p, nil
	}
	var doc struct {
		Resource map[string]map[string]struct {
			Meta struct {
				Metadata struct {
					Path string `json:"path"`
				} `json:"metadata"`
			} `json:"//"`
		} `json:"resource"`
	}
	if err := json.Unmarshal(stack, &doc); err != nil {
		return nil, fmt.Errorf("the stack is not a synthesized cdk.tf.json: %w", err)
	}
	for typ, named := range doc.Resource {
		for name, r := range named {
			if _, path, ok := strings.Cut(r.Meta.Metadata.Path, "/"); ok {
				p[typ+"."+name] = path
			}
		}
	}
	return p, nil
}

// hash is what cdktf ends a resource's name with. Before it come the ids of the constructs, which are lower-kebab words.
var hash = regexp.MustCompile(`_[0-9A-F]{8}$`)

// of is where a resource belongs. What is destroyed is not in the JSON any more: its name has the ids.
func (p places) of(rc *tfjson.ResourceChange) (group, construct string) {
	path, ok := p[rc.Type+"."+rc.Name]
	if !ok && hash.MatchString(rc.Name) {
		path, ok = strings.ReplaceAll(hash.ReplaceAllString(rc.Name, ""), "_", "/"), true
	}
	if !ok || rc.ModuleAddress != "" {
		return "other", rc.Address
	}
	if rc.Index != nil {
		path += fmt.Sprintf("[%v]", rc.Index)
	}
	steps := strings.Split(path, "/")
	n := 1
	if collections[steps[0]] && len(steps) > 2 {
		n = 2
	}
	if len(steps) <= n {
		return steps[0], steps[len(steps)-1]
	}
	return strings.Join(steps[:n], "/"), strings.Join(steps[n:], "/")
}
