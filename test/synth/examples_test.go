package synth

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/service"
	"aws-microservices/examples/boutique"
	"aws-microservices/examples/options"
	"aws-microservices/examples/sockshop"
	"aws-microservices/stacks"
)

// samples are every system that is declared here, the platform itself among them.
var samples = map[string]stacks.Config{
	"platform": stacks.All, "boutique": boutique.Config, "options": options.Config, "sockshop": sockshop.Config,
}

var (
	examplesMu sync.Mutex
	examples   = map[string]map[string]stack{}
)

// synthesized returns the stacks of a system, made when they are first asked for.
func synthesized(t *testing.T, system string) map[string]stack {
	t.Helper()
	if system == "platform" {
		return platform
	}
	examplesMu.Lock()
	defer examplesMu.Unlock()
	if examples[system] == nil {
		config := samples[system]
		if err := config.Validate(); err != nil {
			t.Fatal(err)
		}
		dir, err := os.MkdirTemp("", "example")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		examples[system] = synthesize(config, dir)
	}
	return examples[system]
}

// below returns the resources of a kind whose path in the construct tree is the one given, or below it.
func (s stack) below(kind, path string) []map[string]any {
	var found []map[string]any
	for _, r := range s.Resource[kind] {
		p := pathOf(r)
		if p = p[strings.Index(p, "/")+1:]; p == path || strings.HasPrefix(p, path+"/") {
			found = append(found, r)
		}
	}
	return found
}

func TestTheExamplesAreWholeSystems(t *testing.T) {
	for system, want := range map[string]int{"boutique": 12, "sockshop": 14, "options": 8} {
		s := synthesized(t, system)["demo"]
		if got := len(s.Resource["aws_ecs_task_definition"]); got != want {
			t.Errorf("%s has %d task definitions, want %d", system, got, want)
		}
		referencesResolve(t, synthesized(t, system))
	}
}

// The platform shows each kind and each link once at least.
func TestEveryKindAndEveryLinkIsUsed(t *testing.T) {
	kinds, linksUsed := map[service.Kind]bool{}, map[string]bool{}
	for _, s := range stacks.All.Platform.Services {
		kinds[s.Kind] = true
		for name, used := range map[string]bool{
			"Uses": len(s.Uses) > 0, "Reads": len(s.Reads) > 0, "Owns": len(s.Owns) > 0, "SendsTo": len(s.SendsTo) > 0,
			"Consumes": s.Consumes != "", "Publishes": len(s.Publishes) > 0, "Calls": len(s.Calls) > 0,
			"Secrets": len(s.Secrets) > 0, "ReadsFrom": len(s.ReadsFrom) > 0, "WritesTo": len(s.WritesTo) > 0, "Internet": s.Internet,
		} {
			linksUsed[name] = linksUsed[name] || used
		}
	}
	for _, k := range service.Kinds {
		if !kinds[k] {
			t.Errorf("no service of the platform is of kind %q", k)
		}
	}
	for name, used := range linksUsed {
		if !used {
			t.Errorf("no service of the platform has a link %s", name)
		}
	}
}

// A broker, a database or a gRPC service is reached at its own port, HTTP at 80, whatever the container listens on.
func TestCallersReachServicesByNameAndPort(t *testing.T) {
	alias := func(system, name string) any {
		r := synthesized(t, system)["demo"].at(t, "aws_ecs_service", "services/"+name+"/service")
		return r["service_connect_configuration"].(map[string]any)["service"].([]any)[0].(map[string]any)["client_alias"]
	}
	for _, test := range []struct {
		system, name string
		port         float64
	}{
		{"boutique", "frontend", 80}, {"boutique", "cartservice", 7070}, {"boutique", "redis-cart", 6379},
		{"sockshop", "catalogue", 80}, {"sockshop", "rabbitmq", 5672},
	} {
		if diff := cmp.Diff(map[string]any{"dns_name": test.name, "port": test.port}, alias(test.system, test.name)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.name, diff)
		}
	}
}
