package backup

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var props = Props{
	Name: "shop-prod", AccountID: "111122223333", Region: "eu-west-1", CopyRegion: "eu-central-1",
	Resources: []string{"arn:aws:rds:eu-west-1:111122223333:db:shop"},
}

// reads tells whether an action changes nothing.
func reads(action string) bool {
	_, verb, _ := strings.Cut(action, ":")
	return strings.HasPrefix(verb, "Describe") || strings.HasPrefix(verb, "List") || strings.HasPrefix(verb, "Get")
}

func TestTheRoleChangesOnlyTheDatabasesAndItsOwnSnapshots(t *testing.T) {
	vaults, keys := []string{"vault", "copies"}, []string{"key", "copy-key"}
	own := slices.Concat(props.Resources, vaults, keys)
	for _, s := range statements(props, vaults, keys) {
		if !slices.ContainsFunc(s.Actions, func(a string) bool { return !reads(a) }) {
			continue
		}
		for _, r := range s.Resources {
			if !slices.Contains(own, r) && !strings.HasSuffix(r, ":awsbackup:*") {
				t.Errorf("%s may %v of %s", s.Sid, s.Actions, r)
			}
		}
	}
}

func TestTheRoleStaysInTheRegionsOfTheVaults(t *testing.T) {
	alone := props
	alone.CopyRegion = ""
	for _, s := range statements(alone, nil, nil) {
		for _, r := range s.Resources {
			if r != "*" && !strings.HasPrefix(r, "arn:aws:rds:eu-west-1:111122223333:") {
				t.Errorf("%s reaches %s", s.Sid, r)
			}
		}
	}
}

func TestCopiesAreWatchedWhereThereAreAny(t *testing.T) {
	alone := props
	alone.CopyRegion = ""
	for _, c := range []struct {
		name  string
		props Props
		want  []string
	}{
		{"with copies", props, []string{"backup-failed", "backup-missing", "backup-copy-failed"}},
		{"without", alone, []string{"backup-failed", "backup-missing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, a := range (&Backup{props: c.props}).Alarms() {
				got = append(got, a.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
