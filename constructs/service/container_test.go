package service

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decode reads the one container back, as ECS would.
func decode(t *testing.T, p Props, environment map[string]string) container {
	t.Helper()
	var containers []container
	text := containerJSON(p, "example/image@sha256:1", "eu-west-1", "/ecs/"+p.Name, environment)
	if err := json.Unmarshal([]byte(text), &containers); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if len(containers) != 1 {
		t.Fatalf("%d containers in %s", len(containers), text)
	}
	return containers[0]
}

func TestContainersRunWithoutPrivileges(t *testing.T) {
	for _, kind := range []Kind{Web, Internal, Worker, Job} {
		c := decode(t, Props{Name: "orders", Kind: kind, Port: 8080}, nil)
		if c.User != "65532:65532" || !c.ReadonlyRootFilesystem {
			t.Errorf("%s: user %q, read-only root %v", kind, c.User, c.ReadonlyRootFilesystem)
		}
		want := linuxParameters{Capabilities: capabilities{Drop: []string{"ALL"}}, InitProcessEnabled: true}
		if diff := cmp.Diff(want, c.LinuxParameters); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", kind, diff)
		}
	}
}

func TestContainersLogToTheirGroupInStreamsNamedECS(t *testing.T) {
	c := decode(t, Props{Name: "orders", Kind: Worker}, nil)
	want := logConfiguration{LogDriver: "awslogs", Options: map[string]string{
		"awslogs-group": "/ecs/orders", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs",
		"mode": "non-blocking", "max-buffer-size": "25m",
	}}
	if diff := cmp.Diff(want, c.LogConfiguration); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOnlyKindsThatListenHaveAPort(t *testing.T) {
	for kind, ports := range map[Kind]int{Web: 1, Internal: 1, Worker: 0, Job: 0} {
		if c := decode(t, Props{Name: "orders", Kind: kind, Port: 8080}, nil); len(c.PortMappings) != ports {
			t.Errorf("%s has ports %v", kind, c.PortMappings)
		}
	}
}

func TestEveryKindButAJobIsCheckedForHealth(t *testing.T) {
	for kind, checked := range map[Kind]bool{Web: true, Internal: true, Worker: true, Job: false} {
		if c := decode(t, Props{Name: "orders", Kind: kind, Port: 8080}, nil); (c.HealthCheck != nil) != checked {
			t.Errorf("%s has health check %v", kind, c.HealthCheck)
		}
	}
}

func TestTheEnvironmentIsSortedAndKeepsItsCharacters(t *testing.T) {
	c := decode(t, Props{Name: "orders", Kind: Worker}, map[string]string{"B": "<&>", "A": `"quoted"`, "C": "${token}"})
	want := []variable{{"A", `"quoted"`}, {"B", "<&>"}, {"C", "${token}"}}
	if diff := cmp.Diff(want, c.Environment); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// With a read-only root file system ECS Exec needs these two to be writable.
func TestScratchSpaceIsWritable(t *testing.T) {
	c := decode(t, Props{Name: "orders", Kind: Worker}, nil)
	want := []mountPoint{
		{SourceVolume: "tmp", ContainerPath: "/tmp"},
		{SourceVolume: "exec-lib", ContainerPath: "/var/lib/amazon"},
		{SourceVolume: "exec-log", ContainerPath: "/var/log/amazon"},
	}
	if diff := cmp.Diff(want, c.MountPoints); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestATaskStopsTakingRequestsBeforeItIsKilled(t *testing.T) {
	if deregistrationDelaySeconds >= stopTimeoutSeconds {
		t.Errorf("requests arrive for %d s after SIGTERM, SIGKILL comes after %d s", deregistrationDelaySeconds, stopTimeoutSeconds)
	}
}
