// Package containers finds a container engine on this machine, or starts one, and gives the AWS emulator a network in it.
//
//	DOCKER_HOST, Docker's own socket, or `podman system service`
//	        |
//	network -> the emulator's tasks and databases; the emulator itself is at the network's gateway
//
// The engine is used by its client, docker. Needs Linux: elsewhere an engine runs in a virtual machine, whose containers the
// host cannot reach by their addresses.
package containers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	socketFile = "podman.sock"
	pidFile    = "podman.pid"
	logFile    = "podman.log"

	startTimeout = 20 * time.Second
)

// Engine is a container engine that speaks Docker's API, with a network for one emulator.
type Engine struct {
	// Host is where it answers, as DOCKER_HOST says it.
	Host string
	// Network is the emulator's, Gateway the host's address in it.
	Network, Gateway string

	dir string
	// volumes begins the names of the emulator's volumes.
	volumes string
	// service is podman's process; nil where the engine ran before.
	service *os.Process
}

// UnavailableError says why this machine cannot run containers.
type UnavailableError struct{ reason string }

func (e *UnavailableError) Error() string { return "this machine runs no containers: " + e.reason }

// Start returns an engine with a network named after the emulator's port, whose registry the engine may then pull from
// without TLS. dir is where podman's files go, where it has to be started.
//
// A machine without an engine gives an UnavailableError.
func Start(ctx context.Context, dir string, port int) (*Engine, error) {
	if runtime.GOOS != "linux" {
		return nil, &UnavailableError{"containers can be reached by their addresses on Linux only"}
	}
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, &UnavailableError{"the client docker is not on PATH"}
	}
	e := named(dir, port)
	if err := e.find(ctx, port); err != nil {
		return nil, err
	}
	if err := e.connect(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func named(dir string, port int) *Engine {
	return &Engine{dir: dir, Network: fmt.Sprintf("aws-emulator-%d", port), volumes: fmt.Sprintf("ministack-rds-%d-", port)}
}

// find takes the engine that answers, or starts podman's.
func (e *Engine) find(ctx context.Context, port int) error {
	for _, host := range []string{os.Getenv("DOCKER_HOST"), "unix:///var/run/docker.sock"} {
		e.Host = host
		if host != "" && e.answers(ctx) {
			return nil
		}
	}
	if _, err := exec.LookPath("podman"); err != nil {
		return &UnavailableError{"no Docker engine answers, and podman is not installed"}
	}
	if os.Getuid() != 0 {
		return &UnavailableError{"no Docker engine answers, and podman gives containers addresses that the host reaches for root only"}
	}
	return e.podman(ctx, port)
}

// settings are podman's for this engine alone. What the host's limits are is left as it is, because raising it takes
// privileges that root may lack; runc, because crun needs them as well.
const settings = `[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[containers]
default_ulimits = []
`

// registries lets podman pull from the emulator, which speaks HTTP. Docker does so for any loopback address.
const registries = `unqualified-search-registries = ["docker.io"]
[[registry]]
location = "127.0.0.1:%d"
insecure = true
`

// podman starts its service, which stays until Close.
func (e *Engine) podman(ctx context.Context, port int) error {
	if err := os.MkdirAll(e.dir, 0o755); err != nil {
		return err
	}
	files := map[string]string{"containers.conf": settings, "registries.conf": fmt.Sprintf(registries, port)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(e.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	log, err := os.Create(filepath.Join(e.dir, logFile))
	if err != nil {
		return err
	}
	defer log.Close()
	socket := filepath.Join(e.dir, socketFile)
	os.Remove(socket)
	e.Host = "unix://" + socket
	cmd := exec.Command("podman", "system", "service", "--time=0", e.Host)
	cmd.Dir = e.dir // where a container runs out of memory, conmon leaves a file named oom
	cmd.Env = append(os.Environ(),
		"CONTAINERS_CONF="+filepath.Join(e.dir, "containers.conf"),
		"CONTAINERS_REGISTRIES_CONF="+filepath.Join(e.dir, "registries.conf"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C must not end it under a clean-up
	if err := cmd.Start(); err != nil {
		return err
	}
	e.service = cmd.Process
	go func() { _ = cmd.Wait() }() // it must not stay a zombie
	if err := os.WriteFile(filepath.Join(e.dir, pidFile), []byte(strconv.Itoa(e.service.Pid)), 0o644); err != nil {
		return err
	}
	for deadline := time.Now().Add(startTimeout); !e.answers(ctx); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			text, _ := os.ReadFile(log.Name())
			return errors.Join(&UnavailableError{"podman does not answer: " + string(bytes.TrimSpace(text))}, e.Close())
		}
	}
	return nil
}

// connect makes the network and finds the host's address in it.
func (e *Engine) connect(ctx context.Context) error {
	if _, err := e.Docker(ctx, "network", "inspect", e.Network); err != nil {
		if _, err := e.Docker(ctx, "network", "create", e.Network); err != nil {
			return err
		}
	}
	gateway, err := e.Docker(ctx, "network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}", e.Network)
	if err != nil {
		return err
	}
	for _, address := range strings.Fields(gateway) {
		if ip := net.ParseIP(address); ip != nil && ip.To4() != nil {
			e.Gateway = address
			return nil
		}
	}
	return fmt.Errorf("network %s has no IPv4 gateway: %q", e.Network, gateway)
}

// Attach finds the engine that an earlier process started for an emulator.
func Attach(ctx context.Context, dir string, port int) (*Engine, error) {
	e := named(dir, port)
	pid, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err == nil {
		if n, err := strconv.Atoi(string(pid)); err == nil {
			e.service, _ = os.FindProcess(n)
		}
		e.Host = "unix://" + filepath.Join(dir, socketFile)
		if !e.answers(ctx) {
			return nil, &UnavailableError{"podman of " + dir + " ended"}
		}
	} else if err := e.find(ctx, port); err != nil {
		return nil, err
	}
	return e, e.connect(ctx)
}

// Docker runs the client with the engine and returns what it prints.
func (e *Engine) Docker(ctx context.Context, arguments ...string) (string, error) {
	var out, problem bytes.Buffer
	err := e.run(ctx, nil, &out, &problem, arguments...)
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(arguments, " "), err, lastLine(problem.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

func (e *Engine) run(ctx context.Context, in io.Reader, out, problem io.Writer, arguments ...string) error {
	cmd := exec.CommandContext(ctx, "docker", arguments...)
	cmd.Env = append(os.Environ(), e.Environ()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, problem
	return cmd.Run()
}

// Environ makes Docker's client, and programs that use its API, use the engine.
func (e *Engine) Environ() []string {
	return []string{"DOCKER_HOST=" + e.Host, "DOCKER_CONTEXT=", "DOCKER_BUILDKIT=0"}
}

// Clear removes the network's containers, their volumes and the network.
func (e *Engine) Clear(ctx context.Context) error {
	ids, err := e.Docker(ctx, "ps", "--all", "--quiet", "--filter", "network="+e.Network)
	if err == nil && ids != "" {
		_, err = e.Docker(ctx, append([]string{"rm", "--force", "--volumes"}, strings.Fields(ids)...)...)
	}
	if err != nil {
		return err
	}
	// Those of the databases have names, so that they outlive a database that is stopped.
	volumes, err := e.Docker(ctx, "volume", "ls", "--quiet", "--filter", "name="+e.volumes)
	if err == nil && volumes != "" {
		_, err = e.Docker(ctx, append([]string{"volume", "rm", "--force"}, strings.Fields(volumes)...)...)
	}
	if err != nil {
		return err
	}
	_, err = e.Docker(ctx, "network", "rm", e.Network)
	return err
}

// Close ends podman's service, where Start started one.
func (e *Engine) Close() error {
	if e.service == nil {
		return nil
	}
	if err := e.service.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end podman (pid %d): %w", e.service.Pid, err)
	}
	return os.Remove(filepath.Join(e.dir, pidFile))
}

func (e *Engine) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return e.run(ctx, nil, io.Discard, io.Discard, "version") == nil
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
