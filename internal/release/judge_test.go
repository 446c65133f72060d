package release

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// recording is what DescribeServices answered, look after look, in the form of the AWS CLI.
type recording struct {
	About, Follows, Revision, Before string
	// Repeat is how often all of it comes.
	Repeat int
	Looks  []struct {
		// Times is how often in a row it was answered.
		Times   int
		Service types.Service
	}
	Want struct {
		Result Result
		Reason string
		Final  bool
	}
}

func (r recording) states() []state {
	var all []state
	for range max(r.Repeat, 1) {
		for _, look := range r.Looks {
			for range max(look.Times, 1) {
				all = append(all, stateOf(look.Service))
			}
		}
	}
	return all
}

func recordings(t *testing.T) map[string]recording {
	t.Helper()
	files, err := filepath.Glob("testdata/histories/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	all := map[string]recording{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = r
	}
	return all
}

// player plays a recording. Whoever looks more often than it has answers is interrupted.
type player struct {
	*model
	states []state
	looked int
	end    context.CancelFunc
}

func (p *player) look(context.Context) (state, error) {
	if p.looked == len(p.states)-1 {
		p.end()
	}
	p.looked++
	return p.states[p.looked-1], nil
}

func TestTheVerdictOnRecordedDeployments(t *testing.T) {
	for name, r := range recordings(t) {
		t.Run(name, func(t *testing.T) {
			m := newModel("a")
			m.add(image("b"))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := &player{model: m, states: r.states()}
			// The last answer decides, so nobody is interrupted who decides by it.
			p.end = func() {
				if !r.Want.Final {
					cancel()
				}
			}
			var said strings.Builder
			d := &deployer{
				world: p, service: "orders", environment: "dev", longRunning: true, outcome: &Outcome{}, before: revision{ARN: r.Before},
				say: func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) },
			}
			d.choose(Image{Version: "vb", Reference: image("b")})
			v, _, err := d.watch(ctx, r.Follows, revision{ARN: r.Revision, Number: 2, Image: image("b")})
			if !r.Want.Final {
				wants(t, err, ExitUnfinished)
				return
			}
			if err != nil || v.Result != r.Want.Result || !strings.Contains(v.Reason, r.Want.Reason) {
				t.Errorf("%s: got %q because %q (%v), want %q because %q\n%s", r.About, v.Result, v.Reason, err, r.Want.Result, r.Want.Reason, &said)
			}
			if p.looked != len(p.states) {
				t.Errorf("decided at look %d of %d", p.looked, len(p.states))
			}
		})
	}
}

// Whatever is recorded, no look before the last says that the version serves.
func TestNothingServesBeforeItDoes(t *testing.T) {
	for name, r := range recordings(t) {
		states := r.states()
		for i, s := range states[:len(states)-1] {
			if v := judge(s, r.Follows, r.Revision, r.Before); v.Result == Serves {
				t.Errorf("%s: look %d says that it serves: %+v", name, i+1, s)
			}
		}
	}
}
