package service

import (
	"bytes"
	"encoding/json"
	"slices"
	"sort"
	"strings"
)

// Architecture is the CPU that images are built for.
type Architecture string

const (
	// ARM64 is AWS's Graviton, which costs about 20 % less. https://aws.amazon.com/fargate/pricing/
	ARM64 Architecture = "ARM64"
	// X86 is Intel's and AMD's.
	X86 Architecture = "X86_64"
)

// Protocol is what a service speaks on its port.
type Protocol string

const (
	// HTTP is version 1.1.
	HTTP Protocol = "http"
	// GRPC is gRPC, over HTTP/2.
	GRPC Protocol = "grpc"
	// TCP is anything else.
	TCP Protocol = "tcp"
)

// NoHealthCommand is the HealthCommand of an image that holds nothing to ask it with: only the load balancer, where there
// is one, watches it.
var NoHealthCommand = []string{"NONE"}

// Container says how a service's image is run. The zero value is an image that keeps the platform's conventions.
type Container struct {
	// Architecture is the CPU the image is built for. Defaults to the platform's.
	Architecture Architecture
	// Command replaces the image's CMD. Defaults to it.
	Command []string
	// User is whom it runs as, "uid:gid" in numbers, never root. Defaults to "65532:65532", distroless images' "nonroot".
	User string
	// Port is where it listens. Defaults to 8080.
	Port int
	// Protocol is what it speaks there. Defaults to HTTP.
	Protocol Protocol
	// HealthCommand exits 0 when the container is well: ["CMD", …] or ["CMD-SHELL", …].
	// Defaults to ["CMD", "/app", "-health"]; NoHealthCommand for none. Not for a Job or a Task.
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
	HealthCommand []string
	// Writable are the directories that can be written to; the rest of the file system is read-only. The image declares each
	// as a VOLUME that its user owns. Defaults to "/tmp".
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
	Writable []string
	// OpenFiles is how many files and connections may be open at once. Defaults to 65536.
	OpenFiles int
	// EphemeralStorageGiB is the disk of a task on Fargate, image included. Defaults to 20, which costs nothing. At most 200.
	EphemeralStorageGiB int
	// StopTimeoutSeconds is how long the container may finish its work after SIGTERM, before SIGKILL. At most 120.
	// Defaults to 10 more than a request may take, or to 30 where there are none.
	StopTimeoutSeconds int
	// Environment is added to what the links give. Defaults to none. Never for secrets: link to them.
	Environment map[string]string
	// Sidecars are containers that run beside this one. Defaults to none.
	Sidecars []Sidecar
}

// Sidecar is a container beside the service's own, in the same task: they share the network, and the directories that
// both name as writable.
type Sidecar struct {
	// Name of the container. Lower-case letters, digits and dashes.
	Name string
	// Image is a repository of the platform and a tag, e.g. "otel-collector:0.139.0". The shared stack makes the repository.
	Image string
	// Command replaces the image's CMD. Defaults to it.
	Command []string
	// User is whom it runs as, "uid:gid", never root. Defaults to "65532:65532".
	User string
	// HealthCommand exits 0 when the container is well; what comes after it waits for that. Defaults to none.
	HealthCommand []string
	// Writable are the directories that can be written to. Defaults to none.
	Writable []string
	// Environment defaults to none.
	Environment map[string]string
	// MemoryMiB is the most it may use of the task's memory. Defaults to no limit of its own.
	MemoryMiB int
	// Init makes it run to its end before the service's own container starts: if it fails, the task does.
	// Defaults to false: it runs as long as the task.
	Init bool
	// Optional lets the task go on when it ends. Defaults to false. An Init container is never optional.
	Optional bool
	// After are the sidecars that must have started before this one: ended well if Init, be well if they have a
	// HealthCommand. Defaults to none.
	After []string
}

// The container definitions of a task, as the API wants them.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
type (
	container struct {
		Name                   string           `json:"name"`
		Image                  string           `json:"image"`
		Command                []string         `json:"command,omitempty"`
		Essential              bool             `json:"essential"`
		User                   string           `json:"user"`
		Memory                 int              `json:"memory,omitempty"`
		ReadonlyRootFilesystem bool             `json:"readonlyRootFilesystem"`
		LinuxParameters        linuxParameters  `json:"linuxParameters"`
		Ulimits                []ulimit         `json:"ulimits"`
		StopTimeout            int              `json:"stopTimeout"`
		PortMappings           []portMapping    `json:"portMappings"`
		Environment            []variable       `json:"environment"`
		MountPoints            []mountPoint     `json:"mountPoints"`
		HealthCheck            *healthCheck     `json:"healthCheck,omitempty"`
		DependsOn              []dependency     `json:"dependsOn,omitempty"`
		LogConfiguration       logConfiguration `json:"logConfiguration"`
		// What the API would add by itself: left out, every plan would show a change.
		CPU            int   `json:"cpu"`
		SystemControls []any `json:"systemControls"`
		VolumesFrom    []any `json:"volumesFrom"`
	}
	linuxParameters struct {
		Capabilities       capabilities `json:"capabilities"`
		InitProcessEnabled bool         `json:"initProcessEnabled"`
	}
	capabilities struct {
		Drop []string `json:"drop"`
	}
	ulimit struct {
		Name      string `json:"name"`
		SoftLimit int    `json:"softLimit"`
		HardLimit int    `json:"hardLimit"`
	}
	portMapping struct {
		Name          string   `json:"name"`
		ContainerPort int      `json:"containerPort"`
		HostPort      int      `json:"hostPort"`
		Protocol      string   `json:"protocol"`
		AppProtocol   Protocol `json:"appProtocol,omitempty"`
	}
	variable struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	mountPoint struct {
		SourceVolume  string `json:"sourceVolume"`
		ContainerPath string `json:"containerPath"`
		ReadOnly      bool   `json:"readOnly"`
	}
	healthCheck struct {
		Command     []string `json:"command"`
		Interval    int      `json:"interval"`
		Timeout     int      `json:"timeout"`
		Retries     int      `json:"retries"`
		StartPeriod int      `json:"startPeriod"`
	}
	dependency struct {
		ContainerName string `json:"containerName"`
		Condition     string `json:"condition"`
	}
	logConfiguration struct {
		LogDriver string            `json:"logDriver"`
		Options   map[string]string `json:"options"`
	}
)

// execDirectories are what ECS Exec's agent writes to, in the service's own container.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-considerations
var execDirectories = []string{"/var/lib/amazon", "/var/log/amazon"}

// nobody is the user and group of distroless images' "nonroot".
const nobody = "65532:65532"

// withDefaults fills in what was left out.
func (c Container) withDefaults(kind Kind, http Requests) Container {
	if c.User == "" {
		c.User = nobody
	}
	if c.Port == 0 {
		c.Port = 8080
	}
	if c.Protocol == "" {
		c.Protocol = HTTP
	}
	if c.HealthCommand == nil {
		c.HealthCommand = []string{"CMD", "/app", "-health"}
	}
	if c.Writable == nil {
		c.Writable = []string{"/tmp"}
	}
	if c.OpenFiles == 0 {
		c.OpenFiles = 65536
	}
	if c.StopTimeoutSeconds == 0 {
		c.StopTimeoutSeconds = StopTimeoutSeconds(kind, http)
	}
	return c
}

// StopTimeoutSeconds is the default of a container's: long enough for what it may be in the middle of.
func StopTimeoutSeconds(kind Kind, http Requests) int {
	if kind.Listens() {
		return http.TimeoutSeconds() + 10
	}
	return 30
}

// volumes are the writable directories of all containers of a task, by the volumes' names.
func (c Container) volumes() map[string]string {
	paths := slices.Concat(c.Writable, execDirectories)
	for _, s := range c.Sidecars {
		paths = append(paths, s.Writable...)
	}
	all := map[string]string{}
	for _, path := range paths {
		all[volumeName(path)] = path
	}
	return all
}

// volumeName names a directory's volume: containers that name the same directory share it.
func volumeName(path string) string {
	return strings.NewReplacer("/", "-", ".", "-").Replace(strings.Trim(path, "/"))
}

// mounts are a container's writable directories.
func mounts(paths []string) []mountPoint {
	points := []mountPoint{}
	for _, path := range paths {
		points = append(points, mountPoint{SourceVolume: volumeName(path), ContainerPath: path})
	}
	return points
}

// containerJSON writes a task's containers, the service's own first. The container must have its defaults.
func (p Props) containerJSON(image, logGroup string, environment map[string]string) string {
	c := p.Container
	own := hardened(c.User, c.OpenFiles)
	own.Name, own.Image, own.Command, own.Essential = p.Name, image, c.Command, true
	own.StopTimeout = c.StopTimeoutSeconds
	own.Environment = variables(environment)
	own.MountPoints = mounts(slices.Concat(c.Writable, execDirectories))
	own.LogConfiguration = awslogs(p.Region, logGroup)
	if p.Kind.Listens() {
		mapping := portMapping{Name: portName, ContainerPort: c.Port, HostPort: c.Port, Protocol: "tcp"}
		if c.Protocol != TCP {
			mapping.AppProtocol = c.Protocol
		}
		own.PortMappings = []portMapping{mapping}
	}
	if p.Kind.LongRunning() {
		own.HealthCheck = check(c.HealthCommand)
	}
	for _, s := range c.Sidecars {
		own.DependsOn = append(own.DependsOn, s.dependency())
	}
	containers := []container{own}
	for _, s := range c.Sidecars {
		beside := hardened(s.User, c.OpenFiles)
		beside.Name, beside.Image, beside.Command = s.Name, p.Registry+"/"+s.Image, s.Command
		beside.Essential = !s.Init && !s.Optional
		beside.Memory = s.MemoryMiB
		// Last to go: what it serves may still need it.
		beside.StopTimeout = c.StopTimeoutSeconds
		beside.Environment = variables(s.Environment)
		beside.MountPoints = mounts(s.Writable)
		beside.LogConfiguration = awslogs(p.Region, logGroup)
		beside.HealthCheck = check(s.HealthCommand)
		for _, name := range s.After {
			i := slices.IndexFunc(c.Sidecars, func(o Sidecar) bool { return o.Name == name })
			beside.DependsOn = append(beside.DependsOn, c.Sidecars[i].dependency())
		}
		containers = append(containers, beside)
	}
	return marshal(containers)
}

// hardened is a container without privileges: no root, no capability, nothing writable.
func hardened(user string, openFiles int) container {
	if user == "" {
		user = nobody
	}
	return container{
		User:                   user,
		ReadonlyRootFilesystem: true,
		LinuxParameters:        linuxParameters{Capabilities: capabilities{Drop: []string{"ALL"}}, InitProcessEnabled: true},
		Ulimits:                []ulimit{{Name: "nofile", SoftLimit: openFiles, HardLimit: openFiles}},
		PortMappings:           []portMapping{},
		SystemControls:         []any{},
		VolumesFrom:            []any{},
	}
}

// dependency is what waiting for the sidecar means.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func (s Sidecar) dependency() dependency {
	condition := "START"
	switch {
	case s.Init:
		condition = "SUCCESS"
	case len(s.HealthCommand) > 0:
		condition = "HEALTHY"
	}
	return dependency{ContainerName: s.Name, Condition: condition}
}

func check(command []string) *healthCheck {
	if len(command) == 0 || slices.Equal(command, NoHealthCommand) {
		return nil
	}
	return &healthCheck{Command: command, Interval: 10, Timeout: 5, Retries: 3, StartPeriod: 30}
}

// marshal writes JSON for AWS: without escaping what is only dangerous in HTML.
func marshal(value any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // only a type that JSON does not know could fail
	}
	return string(bytes.TrimSpace(out.Bytes()))
}

// awslogs sends a container's output to its log group, in streams named ecs/<container>/<task>. It never blocks the
// container: when CloudWatch Logs cannot be reached, lines beyond the buffer are dropped.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func awslogs(region, group string) logConfiguration {
	return logConfiguration{LogDriver: "awslogs", Options: map[string]string{
		"awslogs-group":         group,
		"awslogs-region":        region,
		"awslogs-stream-prefix": "ecs",
		"mode":                  "non-blocking",
		"max-buffer-size":       "25m",
	}}
}

// variables sorts the environment, so that the definition changes only when a value does.
func variables(environment map[string]string) []variable {
	rows := make([]variable, 0, len(environment))
	for name, value := range environment {
		rows = append(rows, variable{name, value})
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].Name < rows[j].Name })
	return rows
}
