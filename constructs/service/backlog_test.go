package service

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBacklogRefusesWhatCannotBeKept(t *testing.T) {
	for name, test := range map[string]struct {
		backlog    Backlog
		visibility int
		want       []string
	}{
		"fine":               {Backlog{20, 900}, 120, nil},
		"fractions":          {Backlog{0.05, 600}, 30, nil},
		"as long as may be":  {Backlog{180, 600}, 1080, nil},
		"no message time":    {Backlog{0, 900}, 30, []string{"MessageSeconds is 0"}},
		"shorter than react": {Backlog{1, 599}, 30, []string{"MaxWaitSeconds is 599: a new task may need 420 s to come and 180 to catch up: allow 600"}},
		"longer than drain":  {Backlog{181, 600}, 1086, []string{"MaxWaitSeconds is 600: a message takes 181 s"}},
		"works twice":        {Backlog{20, 900}, 119, []string{"VisibilityTimeoutSeconds is 119: make it 6 times MessageSeconds, 120"}},
		"all at once": {Backlog{-1, 0}, -10, []string{
			"MessageSeconds is -1", "MaxWaitSeconds is 0", "VisibilityTimeoutSeconds is -10",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.backlog.Check(test.visibility)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(test.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(got), len(test.want), err)
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("%q does not say %q", got[i], want)
				}
			}
		})
	}
}

func TestBacklogCountsWhatWaitsAndWhatArrives(t *testing.T) {
	got := Backlog{MessageSeconds: 0.25, MaxWaitSeconds: 900}.Expression()
	const want = "IF((visible / 480 + FILL(sent, 0) / 60) * 0.25 > desired, (visible / 480 + FILL(sent, 0) / 60) * 0.25 / desired, " +
		"IF((visible / 480 + FILL(sent, 0) / 60) * 0.25 * 4 / 3 + 1 < desired, 0.75 - 0.6 / desired, 1))"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestBacklogComputesWithItsMetricsOnly(t *testing.T) {
	b := Backlog{MessageSeconds: 20, MaxWaitSeconds: 900}
	var ids []string
	for _, id := range regexp.MustCompile(`[a-z]+`).FindAllString(b.Expression(), -1) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(b.Metrics())), ids); diff != "" {
		t.Error(diff)
	}
}
