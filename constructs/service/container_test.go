package service

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decode reads a task's containers back, as ECS would.
func decode(t *testing.T, p Props, environment map[string]string) []container {
	t.Helper()
	p.Name, p.Region, p.Registry = "orders", "eu-west-1", "example/shop"
	p.Requests = p.Requests.withDefaults()
	p.Container = p.Container.withDefaults(p.Kind, p.Requests)
	var containers []container
	text := p.containerJSON("example/shop/orders@sha256:1", "/ecs/orders", environment)
	if err := json.Unmarshal([]byte(text), &containers); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return containers
}

func TestContainersRunWithoutPrivileges(t *testing.T) {
	sidecars := []Sidecar{{Name: "proxy", Image: "proxy:1"}, {Name: "first", Image: "first:1", Init: true}}
	for _, kind := range Kinds {
		for _, c := range decode(t, Props{Kind: kind, Container: Container{Sidecars: sidecars}}, nil) {
			if c.User != "65532:65532" || !c.ReadonlyRootFilesystem {
				t.Errorf("%s %s: user %q, read-only root %v", kind, c.Name, c.User, c.ReadonlyRootFilesystem)
			}
			want := linuxParameters{Capabilities: capabilities{Drop: []string{"ALL"}}, InitProcessEnabled: true}
			if diff := cmp.Diff(want, c.LinuxParameters); diff != "" {
				t.Errorf("%s %s: (-want +got)\n%s", kind, c.Name, diff)
			}
			if diff := cmp.Diff([]ulimit{{"nofile", 65536, 65536}}, c.Ulimits); diff != "" {
				t.Errorf("%s %s: (-want +got)\n%s", kind, c.Name, diff)
			}
		}
	}
}

func TestContainersLogToTheirGroupInStreamsNamedECS(t *testing.T) {
	want := logConfiguration{LogDriver: "awslogs", Options: map[string]string{
		"awslogs-group": "/ecs/orders", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs",
		"mode": "non-blocking", "max-buffer-size": "25m",
	}}
	for _, c := range decode(t, Props{Kind: Worker, Container: Container{Sidecars: []Sidecar{{Name: "proxy"}}}}, nil) {
		if diff := cmp.Diff(want, c.LogConfiguration); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.Name, diff)
		}
	}
}

func TestOnlyKindsThatListenHaveAPort(t *testing.T) {
	for kind, ports := range map[Kind]int{Web: 1, Internal: 1, Worker: 0, Job: 0, Task: 0} {
		if c := decode(t, Props{Kind: kind}, nil)[0]; len(c.PortMappings) != ports {
			t.Errorf("%s has ports %v", kind, c.PortMappings)
		}
	}
}

func TestAPortSaysWhatItSpeaks(t *testing.T) {
	for protocol, want := range map[Protocol]Protocol{"": HTTP, HTTP: HTTP, GRPC: GRPC, TCP: ""} {
		c := decode(t, Props{Kind: Internal, Container: Container{Port: 9000, Protocol: protocol}}, nil)[0]
		if diff := cmp.Diff([]portMapping{{"http", 9000, 9000, "tcp", want}}, c.PortMappings); diff != "" {
			t.Errorf("%q (-want +got)\n%s", protocol, diff)
		}
	}
}

func TestWhatRunsAllTheTimeIsCheckedForHealth(t *testing.T) {
	for kind, checked := range map[Kind]bool{Web: true, Internal: true, Worker: true, Job: false, Task: false} {
		if c := decode(t, Props{Kind: kind}, nil)[0]; (c.HealthCheck != nil) != checked {
			t.Errorf("%s has health check %v", kind, c.HealthCheck)
		}
	}
	if c := decode(t, Props{Kind: Internal, Container: Container{HealthCommand: NoHealthCommand}}, nil)[0]; c.HealthCheck != nil {
		t.Errorf("without a command it has health check %v", c.HealthCheck)
	}
}

func TestTheEnvironmentIsSortedAndKeepsItsCharacters(t *testing.T) {
	c := decode(t, Props{Kind: Worker}, map[string]string{"B": "<&>", "A": `"quoted"`, "C": "${token}"})[0]
	want := []variable{{"A", `"quoted"`}, {"B", "<&>"}, {"C", "${token}"}}
	if diff := cmp.Diff(want, c.Environment); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// With a read-only root file system ECS Exec needs its two directories to be writable.
func TestOnlyNamedDirectoriesAreWritable(t *testing.T) {
	exec := []mountPoint{
		{SourceVolume: "var-lib-amazon", ContainerPath: "/var/lib/amazon"},
		{SourceVolume: "var-log-amazon", ContainerPath: "/var/log/amazon"},
	}
	for _, test := range []struct {
		writable []string
		want     []mountPoint
	}{
		{nil, []mountPoint{{SourceVolume: "tmp", ContainerPath: "/tmp"}}},
		{[]string{}, nil},
		{[]string{"/var/cache/v1.2"}, []mountPoint{{SourceVolume: "var-cache-v1-2", ContainerPath: "/var/cache/v1.2"}}},
	} {
		c := decode(t, Props{Kind: Worker, Container: Container{Writable: test.writable}}, nil)[0]
		if diff := cmp.Diff(append(test.want, exec...), c.MountPoints); diff != "" {
			t.Errorf("%v (-want +got)\n%s", test.writable, diff)
		}
	}
}

func TestEveryMountHasItsVolume(t *testing.T) {
	p := Props{Kind: Worker, Container: Container{
		Writable: []string{"/shared", "/own"}, Sidecars: []Sidecar{{Name: "proxy", Writable: []string{"/shared", "/its"}}},
	}}
	volumes := p.Container.withDefaults(p.Kind, p.Requests).volumes()
	for _, c := range decode(t, p, nil) {
		for _, m := range c.MountPoints {
			if volumes[m.SourceVolume] != m.ContainerPath {
				t.Errorf("%s mounts %s at %s, the volume is for %q", c.Name, m.SourceVolume, m.ContainerPath, volumes[m.SourceVolume])
			}
		}
	}
	if len(volumes) != 5 {
		t.Errorf("%d volumes: two of the service, one of the sidecar, two of ECS Exec expected; the directory both name is one", len(volumes))
	}
}

func TestASidecarIsWaitedForByWhatItIs(t *testing.T) {
	containers := decode(t, Props{Kind: Web, Container: Container{Sidecars: []Sidecar{
		{Name: "schema", Image: "schema:1", Init: true},
		{Name: "proxy", Image: "proxy:2", HealthCommand: []string{"CMD", "/proxy", "check"}, After: []string{"schema"}},
		{Name: "agent", Image: "agent:3", Optional: true, MemoryMiB: 64, Environment: map[string]string{"A": "1"}},
	}}}, nil)
	type row struct {
		Name, Image string
		Essential   bool
		Memory      int
		DependsOn   []dependency
	}
	var got []row
	for _, c := range containers {
		got = append(got, row{c.Name, c.Image, c.Essential, c.Memory, c.DependsOn})
	}
	want := []row{
		{"orders", "example/shop/orders@sha256:1", true, 0, []dependency{{"schema", "SUCCESS"}, {"proxy", "HEALTHY"}, {"agent", "START"}}},
		{"schema", "example/shop/schema:1", false, 0, nil},
		{"proxy", "example/shop/proxy:2", true, 0, []dependency{{"schema", "SUCCESS"}}},
		{"agent", "example/shop/agent:3", false, 64, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestATaskMayFinishWhatItIsInTheMiddleOf(t *testing.T) {
	for _, test := range []struct {
		kind     Kind
		requests Requests
		want     int
	}{
		{Web, Requests{}, 40},
		{Internal, Requests{MaxSeconds: 60}, 70},
		{Worker, Requests{}, 30},
		{Job, Requests{}, 30},
	} {
		if c := decode(t, Props{Kind: test.kind, Requests: test.requests}, nil)[0]; c.StopTimeout != test.want {
			t.Errorf("%s %v stops within %d s, want %d", test.kind, test.requests, c.StopTimeout, test.want)
		}
	}
}

// While tasks are replaced all the old ones stay, so that one more at least must fit, and for many not twice as many.
func TestADeploymentMovesOnWithAnyNumberOfTasks(t *testing.T) {
	for tasks := 1; tasks <= 100; tasks++ {
		extra := tasks*maximumPercent(tasks)/100 - tasks // ECS rounds down
		if extra < 1 {
			t.Errorf("%d tasks: %d %% let no new one start", tasks, maximumPercent(tasks))
		}
		if tasks >= 4 && extra > (tasks+3)/4 {
			t.Errorf("%d tasks: %d %% start %d at once", tasks, maximumPercent(tasks), extra)
		}
	}
}

func TestAJobThatEndedBadlyIsMatched(t *testing.T) {
	want := `{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],"detail":{"clusterArn":["arn:c"],"group":["family:shop-dev-report"],` +
		`"lastStatus":["STOPPED"],"$or":[{"stopCode":["SpotInterruption","TaskFailedToStart","TerminationNotice"]},` +
		`{"containers":{"exitCode":[{"anything-but":[0]}]}}]}}`
	if got := badEnd("arn:c", "shop-dev-report"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
