package emulator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The test binary runs itself with this set to play a program that starts an
// emulator in the named directory and ends without stopping it.
const (
	playStarter = "EMULATOR_TEST_STARTER_DIR"
	playDetach  = "EMULATOR_TEST_STARTER_DETACH"
)

const repositoryRoot = "../.."

func TestMain(m *testing.M) {
	if dir := os.Getenv(playStarter); dir != "" {
		config := Config{Root: repositoryRoot, Dir: dir, Detach: os.Getenv(playDetach) != ""}
		if _, err := Start(context.Background(), config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestStartedEmulatorAnswersAndStops(t *testing.T) {
	e := start(t, t.TempDir())
	if got := get(t, e.URL()+"/_ministack/health"); !strings.Contains(got, "available") {
		t.Errorf("health says %q", got)
	}
	if err := e.Stop(); err != nil {
		t.Fatal(err)
	}
	if e.healthy(t.Context()) {
		t.Error("it still answers after Stop")
	}
	if err := e.Stop(); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}

func TestAttachKnowsTheProgramsFolder(t *testing.T) {
	dir := t.TempDir()
	programs := filepath.Join(dir, "programs")
	startWith(t, Config{Dir: dir, Binaries: programs})
	attached, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if attached.Binaries != programs || attached.Engine != nil {
		t.Errorf("attached to one with programs in %q and engine %v; want %q and none", attached.Binaries, attached.Engine, programs)
	}
}

// Two may be started at the same moment and find the same port free.
func TestAnotherEmulatorsAnswersAreNotTakenForItsOwn(t *testing.T) {
	first := start(t, t.TempDir())
	second := &Emulator{run: running{Port: first.run.Port, PID: os.Getpid()}}
	if second.healthy(t.Context()) {
		t.Error("an emulator that is not there is said to answer")
	}
}

func TestStateOutlivesStopAndKill(t *testing.T) {
	dir := t.TempDir()
	for i, end := range []func(*Emulator) error{(*Emulator).Stop, (*Emulator).Kill} {
		e := start(t, dir)
		name := fmt.Sprintf("bucket-%d", i)
		put(t, e.URL()+"/"+name)
		waitUntil(t, "the bucket is saved", func() bool {
			content, err := os.ReadFile(filepath.Join(dir, "state", "s3.json"))
			return err == nil && strings.Contains(string(content), name)
		})
		if err := end(e); err != nil {
			t.Fatal(err)
		}
	}
	e := start(t, dir)
	listed := get(t, e.URL()+"/")
	for _, name := range []string{"bucket-0", "bucket-1"} {
		if !strings.Contains(listed, name) {
			t.Errorf("%s is lost: %s", name, listed)
		}
	}
}

func TestSecondEmulatorForADirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	_, err := Start(t.Context(), Config{Root: repositoryRoot, Dir: dir})
	wantError(t, err, "already runs", "stop it first")
}

func TestEmulatorEndsWithTheProgramThatStartedIt(t *testing.T) {
	e := startedElsewhere(t, false)
	waitUntil(t, "the emulator ends", func() bool { return !e.healthy(t.Context()) })
	waitUntil(t, "it is no longer attachable", func() bool {
		_, err := Attach(e.dir)
		return err != nil
	})
}

func TestDetachedEmulatorOutlivesItsStarterUntilAttachedAndStopped(t *testing.T) {
	dir := startedElsewhere(t, true).dir
	e, err := Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(); err != nil {
		t.Fatal(err)
	}
	if e.healthy(t.Context()) {
		t.Error("it still answers after Stop")
	}
	_, err = Attach(dir)
	wantError(t, err, "no emulator runs", pidFile)
}

func TestStartWithoutInstallationNamesTheRemedy(t *testing.T) {
	_, err := Start(t.Context(), Config{Root: t.TempDir(), Dir: t.TempDir()})
	wantError(t, err, "not installed", "tools/install.sh")
}

func TestStartOnAPortInUseSaysSo(t *testing.T) {
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), Config{Root: fakeRoot(t, "exit 0"), Dir: t.TempDir(), Port: port})
	wantError(t, err, fmt.Sprint(port), "another port")
}

func TestFailedStartShowsTheEndOfTheLog(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(t.Context(), Config{Root: fakeRoot(t, "echo no such module; exit 1"), Dir: dir})
	wantError(t, err, "ended while starting", "no such module")
	if _, err := os.Stat(filepath.Join(dir, pidFile)); err == nil {
		t.Error("the pid file stays behind")
	}
}

func TestStartThatNeverAnswersIsGivenUpWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Start(ctx, Config{Root: fakeRoot(t, "exec sleep 60"), Dir: t.TempDir()})
	wantError(t, err, "did not answer", "deadline")
}

func TestAttachRefusesWhatIsNotRunning(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		content string
		want    []string
	}{
		"a process that is gone": {fmt.Sprintf(`{"pid":%d,"port":1}`, gone.Process.Pid), []string{"stale", "remove it"}},
		"a dead port":            {fmt.Sprintf(`{"pid":%d,"port":1}`, os.Getpid()), []string{"stale", ":1:"}},
		"a damaged file":         {"x", []string{"damaged", "remove it"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, pidFile), []byte(c.content), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Attach(dir)
			wantError(t, err, c.want...)
		})
	}
}

func TestEnvironReachesNothingButTheEmulator(t *testing.T) {
	base := []string{
		"HOME=/home/me", "TF_CLI_CONFIG_FILE=/mirror.rc", "NO_PROXY=registry.example.com",
		"AWS_PROFILE=production", "AWS_SESSION_TOKEN=t", "AWS_ENDPOINT_URL_S3=https://s3.amazonaws.com",
		"TF_VAR_stage=prod", "TF_WORKSPACE=prod", "TF_CLI_ARGS_plan=-destroy", "AWS_REGION=us-west-2",
	}
	got := environ(base, "http://127.0.0.1:4566", "222222222222", "eu-west-1")
	want := []string{
		"HOME=/home/me",
		"TF_CLI_CONFIG_FILE=/mirror.rc",
		"AWS_ENDPOINT_URL=http://127.0.0.1:4566",
		"AWS_ACCESS_KEY_ID=222222222222",
		"AWS_SECRET_ACCESS_KEY=unused",
		"AWS_REGION=eu-west-1",
		"AWS_DEFAULT_REGION=eu-west-1",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_PAGER=",
		"NO_PROXY=registry.example.com,127.0.0.1,localhost",
		"no_proxy=registry.example.com,127.0.0.1,localhost",
		"CHECKPOINT_DISABLE=1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// start runs the real emulator, or skips the test where it is not installed.
func start(t *testing.T, dir string) *Emulator {
	t.Helper()
	return startWith(t, Config{Dir: dir})
}

func startWith(t *testing.T, c Config) *Emulator {
	t.Helper()
	requireInstalled(t)
	c.Root = repositoryRoot
	e, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Kill(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// startedElsewhere is an emulator whose starter has ended.
func startedElsewhere(t *testing.T, detach bool) *Emulator {
	t.Helper()
	requireInstalled(t)
	dir := t.TempDir()
	starter := exec.Command(os.Args[0])
	starter.Env = append(os.Environ(), playStarter+"="+dir)
	if detach {
		starter.Env = append(starter.Env, playDetach+"=1")
	}
	if output, err := starter.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	content, err := os.ReadFile(filepath.Join(dir, pidFile))
	if err != nil {
		t.Fatal(err)
	}
	e := &Emulator{dir: dir}
	if err := json.Unmarshal(content, &e.run); err != nil {
		t.Fatal(err)
	}
	if e.proc, err = os.FindProcess(e.run.PID); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Kill(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func requireInstalled(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the emulator: not with -short")
	}
	if err := Installed(repositoryRoot); err != nil {
		t.Skip(err)
	}
}

// fakeRoot is a repository whose Python is a shell script.
func fakeRoot(t *testing.T, script string) string {
	t.Helper()
	root := t.TempDir()
	python := interpreter(root)
	if err := os.MkdirAll(filepath.Dir(python), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(python, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func get(t *testing.T, url string) string {
	t.Helper()
	return do(t, http.MethodGet, url)
}

func put(t *testing.T, url string) {
	t.Helper()
	do(t, http.MethodPut, url)
}

func do(t *testing.T, method, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s", method, url, response.Status, body)
	}
	return string(body)
}

func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
}
