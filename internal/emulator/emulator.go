// Package emulator runs the AWS emulator that live tests and the demo deploy
// to: ministack with the layer beside this file, on the loopback interface.
package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"aws-microservices/internal/containers"
)

const (
	host    = "127.0.0.1"
	pidPath = "/_layer/pid" // answered by the layer's identity.py
	pidFile = "emulator.pid"
	logFile = "emulator.log"
	// engineDir is where the container engine's files are, below the emulator's.
	engineDir = "engine"

	startTimeout = 60 * time.Second
	stopGrace    = 20 * time.Second
	killGrace    = 5 * time.Second
	pollInterval = 50 * time.Millisecond
	logTailLines = 20
)

// Config says how to run the emulator.
type Config struct {
	Root   string // repository root: holds .tools/emulator (venv) and internal/emulator/layer
	Dir    string // state, log and pid file live here
	Port   int    // 0 picks a free one
	Detach bool   // keep running after this process ends; Stop, or Attach and Stop, ends it

	// Containers runs ECS's tasks and RDS's databases in containers. A machine that cannot gives a
	// containers.UnavailableError. Defaults to false: both are records only.
	Containers bool
	// Binaries is the folder of the services' programs, each named like its image's repository after the last slash. Tasks run
	// them, and databases PostgreSQL as it is installed, as processes: for machines that cannot run containers. Programs may
	// come into the folder later. Defaults to none; not to be set together with Containers.
	Binaries string
	// SitePort is where what CloudFront serves is, as a browser sees it. Defaults to any free port.
	SitePort int
}

// Emulator is a running emulator.
type Emulator struct {
	dir  string
	run  running
	proc *os.Process
	// ended is closed when the process is gone; nil unless this process started it.
	ended chan struct{}
	// leash is the writing end of the emulator's standard input. It closes when
	// this process ends, and the emulator ends with it. Nil when detached.
	leash *os.File
	// Engine runs its containers; nil without.
	Engine *containers.Engine
	// Binaries is the folder of the programs that it runs as processes; empty without.
	Binaries string
}

// running is what the pid file holds.
type running struct {
	PID        int    `json:"pid"`
	Port       int    `json:"port"`
	SitePort   int    `json:"sitePort"`
	Containers bool   `json:"containers"`
	Binaries   string `json:"binaries"`
}

// Start runs the emulator and returns once it answers. State found in c.Dir is
// loaded. The context bounds the start only, not the life of the emulator.
func Start(ctx context.Context, c Config) (*Emulator, error) {
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return nil, fmt.Errorf("repository root: %w", err)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("emulator directory: %w", err)
	}
	if err := Installed(root); err != nil {
		return nil, err
	}
	if other, err := Attach(dir); err == nil {
		return nil, fmt.Errorf("an emulator already runs for %s at %s (pid %d): stop it first, or attach to it",
			dir, other.URL(), other.run.PID)
	}
	port, err := choosePort(c.Port)
	if err != nil {
		return nil, err
	}
	site, err := choosePort(c.SitePort)
	if err != nil {
		return nil, err
	}
	e := &Emulator{dir: dir, run: running{Port: port, SitePort: site, Containers: c.Containers}}
	if c.Binaries != "" {
		if e.Binaries, err = filepath.Abs(c.Binaries); err != nil {
			return nil, fmt.Errorf("folder of the programs: %w", err)
		}
		e.run.Binaries = e.Binaries
	}
	if c.Containers {
		if e.Engine, err = containers.Start(ctx, e.path(engineDir), port); err != nil {
			return nil, err
		}
	}
	if err := e.launch(root, c.Detach); err != nil {
		return nil, errors.Join(fmt.Errorf("start the emulator: %w", err), e.forget())
	}
	if err := e.awaitHealth(ctx); err != nil {
		return nil, errors.Join(err, e.Kill())
	}
	return e, nil
}

// Attach finds the emulator that was started with Detach for dir.
func Attach(dir string) (*Emulator, error) {
	path := filepath.Join(dir, pidFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no emulator runs for %s: there is no %s in it", dir, pidFile)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to the emulator: %w", err)
	}
	e := &Emulator{dir: dir}
	if err := json.Unmarshal(content, &e.run); err != nil || e.run.PID <= 0 {
		return nil, fmt.Errorf("%s is damaged: remove it and start the emulator again", path)
	}
	if e.proc, err = os.FindProcess(e.run.PID); err != nil {
		return nil, fmt.Errorf("attach to the emulator: %w", err)
	}
	if !e.alive() || !e.healthy(context.Background()) {
		return nil, fmt.Errorf("%s is stale: nothing answers as pid %d at %s: remove it and start the emulator again",
			path, e.run.PID, e.URL())
	}
	e.Binaries = e.run.Binaries
	if e.run.Containers {
		if e.Engine, err = containers.Attach(context.Background(), e.path(engineDir), e.run.Port); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// URL is the endpoint of every service.
func (e *Emulator) URL() string {
	return "http://" + net.JoinHostPort(host, strconv.Itoa(e.run.Port))
}

// SiteURL is where a browser sees what CloudFront serves. It is not encrypted, but on a name that browsers trust like TLS.
func (e *Emulator) SiteURL() string {
	return "http://localhost:" + strconv.Itoa(e.run.SitePort)
}

// SiteURLOf is where a browser sees what one of several distributions serves: that of the domain name CloudFront gave it.
func (e *Emulator) SiteURLOf(distribution string) string {
	return fmt.Sprintf("http://%s.localhost:%d", distribution, e.run.SitePort)
}

// Stop lets the emulator save its state and end, and kills it if it does not.
func (e *Emulator) Stop() error {
	if err := e.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if e.awaitEnd(stopGrace) {
		return e.forget()
	}
	return e.Kill()
}

// Kill ends the emulator at once, as a crash would.
func (e *Emulator) Kill() error {
	if err := e.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !e.awaitEnd(killGrace) {
		return fmt.Errorf("the emulator (pid %d) survived SIGKILL", e.run.PID)
	}
	return e.forget()
}

// Environ is the environment for child processes that are to use the emulator
// as the given account, and cannot reach anything else: this process's own
// environment without AWS settings and Terraform's, with the emulator's added.
func (e *Emulator) Environ(accountID, region string) []string {
	return environ(os.Environ(), e.URL(), accountID, region)
}

// keptTerraform are the Terraform settings that say where providers come from.
var keptTerraform = []string{
	"TF_CLI_CONFIG_FILE",
	"TF_PLUGIN_CACHE_DIR",
	"TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE",
}

func environ(base []string, url, accountID, region string) []string {
	var result []string
	direct := host + ",localhost"
	for _, entry := range base {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case strings.EqualFold(name, "NO_PROXY"):
			if value != "" && !strings.Contains(direct, value) {
				direct = value + "," + direct
			}
		case strings.HasPrefix(name, "AWS_"), name == "CHECKPOINT_DISABLE":
		case strings.HasPrefix(name, "TF_") && !slices.Contains(keptTerraform, name):
		default:
			result = append(result, entry)
		}
	}
	return append(result,
		"AWS_ENDPOINT_URL="+url,
		"AWS_ACCESS_KEY_ID="+accountID,
		"AWS_SECRET_ACCESS_KEY=unused",
		"AWS_REGION="+region,
		"AWS_DEFAULT_REGION="+region,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_PAGER=",
		"NO_PROXY="+direct,
		"no_proxy="+direct,
		"CHECKPOINT_DISABLE=1",
	)
}

// Installed says what to do where the emulator is not installed in a checkout.
func Installed(root string) error {
	if _, err := os.Stat(interpreter(root)); err != nil {
		return fmt.Errorf("the emulator is not installed (%w): run tools/install.sh", err)
	}
	return nil
}

// interpreter is the Python that has ministack installed.
func interpreter(root string) string {
	return filepath.Join(root, ".tools", "emulator", "bin", "python")
}

// choosePort returns a port nothing listens on: the wanted one, or any.
func choosePort(wanted int) (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(wanted)))
	if err != nil {
		return 0, fmt.Errorf("port %d cannot be used (%w): end what listens there or choose another port", wanted, err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// launch starts the process and writes the pid file.
func (e *Emulator) launch(root string, detach bool) error {
	if err := os.MkdirAll(e.path("tmp"), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(e.path(logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()

	cmd := exec.Command(interpreter(root), "-m", "layer")
	cmd.Dir = e.dir
	cmd.Env = e.settings(filepath.Join(root, "internal", "emulator"))
	cmd.Stdout, cmd.Stderr = log, log
	// Detached from the terminal, so that Ctrl-C does not end the emulator under
	// a Terraform that is still cleaning up.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if !detach {
		reader, writer, err := os.Pipe()
		if err != nil {
			return err
		}
		defer reader.Close()
		cmd.Stdin, e.leash = reader, writer
		cmd.Env = append(cmd.Env, "LAYER_EXIT_WITH_STDIN=1")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	e.proc, e.run.PID = cmd.Process, cmd.Process.Pid
	e.ended = make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(e.ended)
	}()
	return e.remember()
}

// settings is the whole environment of the emulator: nothing of this process's
// own leaks into it but where programs and the home directory are.
func (e *Emulator) settings(pythonPath string) []string {
	settings := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.Getenv("HOME"),
		"TMPDIR=" + e.path("tmp"),
		"PYTHONPATH=" + pythonPath,
		"PYTHONDONTWRITEBYTECODE=1",
		"PYTHONUNBUFFERED=1",
		"GATEWAY_PORT=" + strconv.Itoa(e.run.Port),
		"BIND_HOST=" + host,
		"MINISTACK_HOST=" + host,
		"IOT_MTLS_ENABLED=0",
		"SFTP_ENABLED=0",
		"LOG_LEVEL=WARNING",
		"PERSIST_STATE=1",
		"STATE_DIR=" + e.path("state"),
		"S3_PERSIST=1",
		"S3_DATA_DIR=" + e.path("s3"),
		"LAYER_SITE_PORT=" + strconv.Itoa(e.run.SitePort),
		"RDS_PERSIST=1", // a database that is stopped and started keeps its data
	}
	if e.Engine == nil {
		// An engine that runs on this machine all the same is not to be used.
		return append(settings, "DOCKER_HOST=unix://"+os.DevNull, "LAYER_BINARIES="+e.Binaries)
	}
	return append(append(settings, e.Engine.Environ()...),
		"LAYER_NETWORK="+e.Engine.Network,
		"LAYER_GATEWAY="+e.Engine.Gateway,
		"DOCKER_NETWORK="+e.Engine.Network, // ministack's own name for it, in its RDS
	)
}

// awaitHealth waits for the emulator to answer.
func (e *Emulator) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for !e.healthy(ctx) {
		select {
		case <-e.ended:
			return fmt.Errorf("the emulator ended while starting on port %d; %s", e.run.Port, e.logTail())
		case <-ctx.Done():
			return fmt.Errorf("the emulator did not answer at %s (%w); %s", e.URL(), ctx.Err(), e.logTail())
		case <-time.After(pollInterval):
		}
	}
	return nil
}

// healthy says whether this very emulator answers: another may have taken the port in the moment before it did.
func (e *Emulator) healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL()+pidPath, nil)
	if err != nil {
		return false
	}
	// Not the default transport: a proxy of the environment must not be asked.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	pid, err := io.ReadAll(io.LimitReader(response.Body, 32))
	return err == nil && response.StatusCode == http.StatusOK && string(pid) == strconv.Itoa(e.run.PID)
}

// alive says whether the process exists.
func (e *Emulator) alive() bool {
	if e.ended != nil {
		select {
		case <-e.ended:
			return false
		default:
			return true
		}
	}
	return e.proc.Signal(syscall.Signal(0)) == nil && !zombie(e.run.PID)
}

// zombie says whether a process has ended and its parent has not asked how. The
// parent of a detached emulator is process 1, which in a container may never ask.
func zombie(pid int) bool {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The state follows the name, which is in parentheses and may hold any.
	_, state, _ := strings.Cut(string(content[bytes.LastIndexByte(content, ')')+1:]), " ")
	return strings.HasPrefix(state, "Z")
}

func (e *Emulator) awaitEnd(grace time.Duration) bool {
	for deadline := time.Now().Add(grace); e.alive(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// signal sends a signal; to a process that is already gone it does nothing.
func (e *Emulator) signal(s syscall.Signal) error {
	if e.proc == nil || !e.alive() {
		return nil
	}
	if err := e.proc.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the emulator (pid %d): %w", e.run.PID, err)
	}
	return nil
}

func (e *Emulator) remember() error {
	content, err := json.Marshal(e.run)
	if err != nil {
		return err
	}
	return os.WriteFile(e.path(pidFile), append(content, '\n'), 0o644)
}

// forget removes what belongs to a running emulator only.
func (e *Emulator) forget() error {
	if e.leash != nil {
		_ = e.leash.Close()
	}
	if e.Engine != nil {
		if err := errors.Join(e.Engine.Clear(context.Background()), e.Engine.Close()); err != nil {
			return fmt.Errorf("end the emulator's containers: %w", err)
		}
	}
	if err := os.Remove(e.path(pidFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("end the emulator: %w", err)
	}
	return nil
}

func (e *Emulator) path(name string) string {
	return filepath.Join(e.dir, name)
}

// logTail is the end of the log, for error messages.
func (e *Emulator) logTail() string {
	content, err := os.ReadFile(e.path(logFile))
	if err != nil {
		return fmt.Sprintf("its log cannot be read: %v", err)
	}
	lines := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	lines = lines[max(0, len(lines)-logTailLines):]
	return fmt.Sprintf("the end of %s:\n%s", e.path(logFile), bytes.Join(lines, []byte("\n")))
}
