package database

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMultiAZGivesAuroraAReaderToTakeOver(t *testing.T) {
	for _, c := range []struct {
		name  string
		props Props
		want  int
	}{
		{"an instance has its standby besides", Props{MultiAZ: true}, 0},
		{"an instance has its replicas", Props{MultiAZ: true, Replicas: 2}, 2},
		{"a cluster alone", Props{Serverless: &Serverless{}}, 0},
		{"a cluster in two zones", Props{Serverless: &Serverless{}, MultiAZ: true}, 1},
		{"a reader is a standby too", Props{Serverless: &Serverless{}, MultiAZ: true, Replicas: 3}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.props.readers(); got != c.want {
				t.Errorf("got %d readers, want %d", got, c.want)
			}
		})
	}
}

func TestOnlyWhatRDSCanStopSleeps(t *testing.T) {
	for _, c := range []struct {
		name  string
		props Props
		want  bool
	}{
		{"an instance", Props{}, true},
		{"an instance with replicas", Props{Replicas: 1}, false},
		{"a cluster with readers", Props{Serverless: &Serverless{}, Replicas: 1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.props.stops(); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

var (
	orders = User{Name: "orders"}
	report = User{Name: "report", ReadOnly: true}
	shipIt = User{Name: "ship-it"}
	search = User{Name: "search", ReadOnly: true}
	audit  = User{Name: "audit", ReadOnly: true}
)

func TestWhoeverHasNoCopyToReadFromUsesTheProxy(t *testing.T) {
	users := []User{orders, report, shipIt}
	for _, c := range []struct {
		name  string
		props Props
		want  []User
	}{
		{"no proxy", Props{Users: users}, nil},
		{"no copies", Props{Users: users, Proxy: true}, users},
		{"replicas", Props{Users: users, Proxy: true, Replicas: 1}, []User{orders, shipIt}},
		{"a standby is no copy to read from", Props{Users: users, Proxy: true, MultiAZ: true}, users},
		{"nobody writes", Props{Users: []User{report}, Proxy: true, Replicas: 1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.props.proxied()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReplicasAreDealtOutToWhoeverOnlyReads(t *testing.T) {
	users := []User{report, orders, search, shipIt, audit}
	for service, want := range map[string]int{"report": 0, "search": 1, "audit": 2} {
		if got := turn(users, service); got != want {
			t.Errorf("%s: got turn %d, want %d", service, got, want)
		}
	}
}

func TestTheOwnerIsToldEveryRole(t *testing.T) {
	for _, c := range []struct {
		name    string
		users   []User
		secrets map[string]string
		want    string
	}{
		{"nobody logs in", nil, nil, `[]`},
		{"tokens only", []User{shipIt, report}, nil, `[{"role":"ship_it","access":"read-write"},{"role":"report","access":"read-only"}]`},
		{
			"a password for the proxy", []User{shipIt, report}, map[string]string{"ship-it": "arn:s"},
			`[{"role":"ship_it","access":"read-write","secret":"arn:s"},{"role":"report","access":"read-only"}]`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, roles(c.users, c.secrets)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAClusterPausesOnlyWhenItMayGoToNothing(t *testing.T) {
	if got := scaling(Serverless{MinACU: 0.5, MaxACU: 4}); got.SecondsUntilAutoPause != nil {
		t.Errorf("it pauses after %v s, AWS refuses that above 0 ACU", *got.SecondsUntilAutoPause)
	}
	if got := scaling(Serverless{MaxACU: 4}); got.SecondsUntilAutoPause == nil || *got.SecondsUntilAutoPause != 300 || *got.MinCapacity != 0 {
		t.Errorf("got %+v, want a pause after 300 s", got)
	}
}

func TestEveryServerIsWatched(t *testing.T) {
	of := func(names ...string) string { return strings.Join(names, " ") }
	for _, c := range []struct {
		name           string
		props          Props
		alarms, graphs string
	}{
		{
			"an instance", Props{},
			of("shop-database-cpu", "shop-database-storage", "shop-database-memory"),
			of("CPUUtilization", "DatabaseConnections"),
		},
		{
			"a replica falls behind, or is busy or full by itself", Props{Replicas: 1},
			of("shop-database-cpu", "shop-database-storage", "shop-database-memory",
				"shop-database-replica-1-cpu", "shop-database-replica-1-storage", "shop-database-replica-1-memory",
				"shop-database-replica-1-lag"),
			of("CPUUtilization", "CPUUtilization", "DatabaseConnections", "DatabaseConnections", "ReplicaLag"),
		},
		{
			"a proxy has clients", Props{Proxy: true, Users: []User{orders}},
			of("shop-database-cpu", "shop-database-storage", "shop-database-memory", "shop-database-proxy-refuses"),
			of("CPUUtilization", "DatabaseConnections", "ClientConnections"),
		},
		{
			"a cluster has a capacity and no storage to fill", Props{Serverless: &Serverless{}},
			of("shop-database-capacity", "shop-database-memory"),
			of("ACUUtilization", "DatabaseConnections"),
		},
		{
			"a reader falls behind", Props{Serverless: &Serverless{}, Replicas: 2},
			of("shop-database-capacity", "shop-database-memory", "shop-database-lag"),
			of("ACUUtilization", "DatabaseConnections", "AuroraReplicaLagMaximum"),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.props.Name = "shop"
			d := &Database{props: c.props}
			var alarms, graphs []string
			for _, a := range d.Alarms() {
				alarms = append(alarms, a.ID)
			}
			for _, g := range d.Graphs() {
				for _, m := range g.Metrics {
					graphs = append(graphs, m.Name)
				}
			}
			if diff := cmp.Diff(c.alarms, of(alarms...)); diff != "" {
				t.Error("alarms", diff)
			}
			if diff := cmp.Diff(c.graphs, of(graphs...)); diff != "" {
				t.Error("graphs", diff)
			}
		})
	}
}
