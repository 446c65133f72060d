package service

import (
	"bytes"
	"encoding/json"
	"sort"
)

// The container definitions of a task, as the API wants them.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
type (
	container struct {
		Name                   string           `json:"name"`
		Image                  string           `json:"image"`
		Essential              bool             `json:"essential"`
		User                   string           `json:"user"`
		ReadonlyRootFilesystem bool             `json:"readonlyRootFilesystem"`
		LinuxParameters        linuxParameters  `json:"linuxParameters"`
		StopTimeout            int              `json:"stopTimeout"`
		PortMappings           []portMapping    `json:"portMappings"`
		Environment            []variable       `json:"environment"`
		MountPoints            []mountPoint     `json:"mountPoints"`
		HealthCheck            *healthCheck     `json:"healthCheck,omitempty"`
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
	portMapping struct {
		Name          string `json:"name"`
		ContainerPort int    `json:"containerPort"`
		HostPort      int    `json:"hostPort"`
		Protocol      string `json:"protocol"`
		AppProtocol   string `json:"appProtocol"`
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
	logConfiguration struct {
		LogDriver string            `json:"logDriver"`
		Options   map[string]string `json:"options"`
	}
)

// volume is a directory that stays writable although the root file system is not.
type volume struct{ name, path string }

// volumes are the container's own scratch space and what ECS Exec's agent writes to.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-considerations
var volumes = []volume{
	{"tmp", "/tmp"},
	{"exec-lib", "/var/lib/amazon"},
	{"exec-log", "/var/log/amazon"},
}

// nobody is the user and group of distroless images' "nonroot".
const nobody = "65532:65532"

// containerJSON writes a task's one container.
func containerJSON(p Props, image, region, logGroup string, environment map[string]string) string {
	c := container{
		Name:                   p.Name,
		Image:                  image,
		Essential:              true,
		User:                   nobody,
		ReadonlyRootFilesystem: true,
		LinuxParameters:        linuxParameters{Capabilities: capabilities{Drop: []string{"ALL"}}, InitProcessEnabled: true},
		StopTimeout:            stopTimeoutSeconds,
		PortMappings:           []portMapping{},
		Environment:            variables(environment),
		LogConfiguration:       awslogs(region, logGroup),
		SystemControls:         []any{},
		VolumesFrom:            []any{},
	}
	for _, v := range volumes {
		c.MountPoints = append(c.MountPoints, mountPoint{SourceVolume: v.name, ContainerPath: v.path})
	}
	if p.Kind.Listens() {
		c.PortMappings = []portMapping{{Name: portName, ContainerPort: p.Port, HostPort: p.Port, Protocol: "tcp", AppProtocol: "http"}}
	}
	if p.Kind != Job {
		c.HealthCheck = &healthCheck{Command: []string{"CMD", "/app", "-health"}, Interval: 10, Timeout: 5, Retries: 3, StartPeriod: 30}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode([]container{c}); err != nil {
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
