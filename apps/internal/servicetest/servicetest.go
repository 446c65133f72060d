// Package servicetest runs a service as what it is in production, a process of its own, so that a test can end it in good order
// or kill it.
package servicetest

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shop/internal/database"
	"shop/internal/database/databasetest"
)

// marker tells the test's own executable to be the service.
const marker = "SERVICETEST_IS_SERVICE"

// Main is the first thing in TestMain: func TestMain(m *testing.M) { servicetest.Main(main); databasetest.Main(m) }. In the
// process that Start starts it runs the service, and does not return.
func Main(service func()) {
	if os.Getenv(marker) != "" {
		service()
		os.Exit(0)
	}
}

// Environment is what every service finds, with AWS at an address.
func Environment(name, aws string) map[string]string {
	return map[string]string{
		"SERVICE_NAME": name, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": aws,
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// WithDatabase adds to an environment how a role reaches the database shop.
func WithDatabase(environment map[string]string, c database.Config) {
	environment["DATABASE_SHOP_HOST"] = c.Host
	environment["DATABASE_SHOP_PORT"] = strconv.Itoa(c.Port)
	environment["DATABASE_SHOP_NAME"] = c.Name
	environment["DATABASE_SHOP_USER"] = c.User
	environment["PGSSLROOTCERT"] = databasetest.RootFile()
}

// Process is a service that runs.
type Process struct {
	// URL is where it listens.
	URL string

	command *exec.Cmd
	log     *log
	ended   chan struct{}
}

// log collects what the service writes.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// Start starts the service with nothing but an environment and a port. It is killed at the end of the test.
func Start(t *testing.T, environment map[string]string) *Process {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{URL: "http://127.0.0.1:" + port, command: exec.Command(os.Args[0]), log: &log{}, ended: make(chan struct{})}
	// Without the last one it complains where coverage is measured.
	p.command.Env = []string{marker + "=1", "PORT=" + port, "GOCOVERDIR=" + t.TempDir()}
	for name, value := range environment {
		p.command.Env = append(p.command.Env, name+"="+value)
	}
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.command.Wait() //nolint:errcheck // ProcessState has it
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Log(p.Log())
		}
	})
	return p
}

// Log is what the service has written.
func (p *Process) Log() string {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.text.String()
}

// Await waits until a path is answered with a status.
func (p *Process) Await(t *testing.T, path string, status int) {
	t.Helper()
	last := "no answer"
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		response, err := http.Get(p.URL + path)
		if err != nil {
			last = err.Error()
			continue
		}
		response.Body.Close()
		if response.StatusCode == status {
			return
		}
		last = response.Status
	}
	t.Fatalf("%s is never answered with %d: %s", path, status, last)
}

// Signal is sent to the service.
func (p *Process) Signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the service as ECS does and returns with what code, or fails the test when it takes longer than ECS waits.
func (p *Process) Stop(t *testing.T) (code int) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
	return p.Wait(t)
}

// Wait waits for the service's end and returns with what code.
func (p *Process) Wait(t *testing.T) (code int) {
	t.Helper()
	select {
	case <-p.ended:
		return p.command.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		t.Fatal("the service does not end")
		return 0
	}
}

// Kill ends the service as a machine that fails would.
func (p *Process) Kill() {
	p.command.Process.Kill() //nolint:errcheck // it may have ended
	<-p.ended
}

// Lines are those of the log that have a text in them.
func (p *Process) Lines(text string) []string {
	var lines []string
	for line := range strings.Lines(p.Log()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// Refused starts the service with an environment that is not enough and returns what it says: one line, and the code 1.
func Refused(t *testing.T, environment map[string]string) string {
	t.Helper()
	p := Start(t, environment)
	if code := p.Wait(t); code != 1 {
		t.Errorf("the code is %d, not 1", code)
	}
	if n := strings.Count(p.Log(), "\n"); n != 1 {
		t.Errorf("it says %d lines, not one:\n%s", n, p.Log())
	}
	return p.Log()
}
