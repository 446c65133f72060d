package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"shop/internal/web"
)

// The test binary is also the service that the tests start, signal and ask for its health.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_SERVICE") {
	case "serve":
		Serve(func(env *Env) Start {
			env.URL("SERVICE_PAYMENTS_URL")
			return func(_ context.Context, a *App) error {
				a.OnStop(func() { fmt.Println(`{"msg":"closed first, that is last"}`) })
				a.OnStop(func() { fmt.Println(`{"msg":"closed last, that is first"}`) })
				a.Handle(web.Handler(slowly))
				return nil
			}
		})
	case "work":
		Work(func(*Env) Start { return func(context.Context, *App) error { return nil } })
	case "once":
		Once(func(*Env) func(context.Context) error {
			return func(context.Context) error { return errors.New("it did not work") }
		})
	default:
		os.Exit(m.Run())
	}
}

// slowly answers after the request's path in milliseconds.
func slowly(w http.ResponseWriter, r *http.Request) error {
	n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil {
		return err
	}
	time.Sleep(time.Duration(n) * time.Millisecond)
	web.JSON(w, http.StatusOK, "done")
	return nil
}

type process struct {
	*exec.Cmd
	out *bytes.Buffer
}

func command(t *testing.T, kind string, env map[string]string, args ...string) process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := process{exec.CommandContext(t.Context(), self, args...), &bytes.Buffer{}}
	p.Stdout, p.Stderr = p.out, p.out
	p.Env = []string{"TEST_SERVICE=" + kind, "GOCOVERDIR=" + t.TempDir()}
	for name, value := range env {
		p.Env = append(p.Env, name+"="+value)
	}
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

func started(t *testing.T, kind string) (p process, port string) {
	t.Helper()
	port = freePort(t)
	env := map[string]string{
		"SERVICE_NAME": "orders", "AWS_REGION": "eu-west-1", "PORT": port, "SERVICE_PAYMENTS_URL": "http://payments",
	}
	p = command(t, kind, env)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if response, err := http.Get("http://127.0.0.1:" + port + "/healthz"); err == nil && response.StatusCode == http.StatusOK {
			return p, port
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not start:\n%s", p.out)
		}
	}
}

func TestConfigurationIsOneErrorThatNamesAll(t *testing.T) {
	p := command(t, "serve", map[string]string{"PORT": "http", "SERVICE_PAYMENTS_URL": "payments:80"})
	err := p.Run()
	if p.ProcessState.ExitCode() != 1 {
		t.Errorf("it ends with %v, want exit status 1", err)
	}
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	var line struct{ Level, Msg string }
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil || len(lines) != 1 {
		t.Fatalf("%v: want one line of JSON:\n%s", err, p.out)
	}
	for _, want := range []string{
		"SERVICE_NAME is not set", "AWS_REGION is not set", `PORT is "http"`, `SERVICE_PAYMENTS_URL is "payments:80"`,
	} {
		if !strings.Contains(line.Msg, want) {
			t.Errorf("%s\ndoes not say: %s", line.Msg, want)
		}
	}
}

func TestAJobThatFailsEndsWith1(t *testing.T) {
	p := command(t, "once", map[string]string{"SERVICE_NAME": "report", "AWS_REGION": "eu-west-1"})
	if err := p.Run(); p.ProcessState.ExitCode() != 1 || !strings.Contains(p.out.String(), "it did not work") {
		t.Errorf("%v\n%s", err, p.out)
	}
}

func TestSIGTERMFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	p, port := started(t, "serve")
	answered := make(chan error)
	go func() {
		response, err := http.Get("http://127.0.0.1:" + port + "/2000")
		if err == nil {
			_, err = io.ReadAll(response.Body)
		}
		answered <- err
	}()
	time.Sleep(200 * time.Millisecond)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/0": 200} {
		response, err := http.Get("http://127.0.0.1:" + port + path)
		if err != nil || response.StatusCode != want {
			t.Errorf("right after SIGTERM, %s gives %v, %v; want %d", path, response, err, want)
		}
	}
	if err := <-answered; err != nil {
		t.Errorf("the request in hand: %v", err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	closed := strings.Index(p.out.String(), "closed last")
	if closed < 0 || closed > strings.Index(p.out.String(), "closed first") {
		t.Errorf("not closed in order:\n%s", p.out)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p, port := started(t, "serve")
	go http.Get("http://127.0.0.1:" + port + "/9000") //nolint:errcheck // it is cut off
	time.Sleep(200 * time.Millisecond)
	began := time.Now()
	for range 2 {
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := p.Wait(); p.ProcessState.ExitCode() != 1 || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %s, want exit status 1 at once", err, time.Since(began))
	}
}

func TestHealthCommand(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"serve", "work"} {
		_, port := started(t, kind)
		if p := command(t, kind, map[string]string{"PORT": port}, "-health"); p.Run() != nil {
			t.Errorf("%s, of a service that is well: %s", kind, p.out)
		}
	}
	p := command(t, "serve", map[string]string{"PORT": freePort(t)}, "-health")
	if err := p.Run(); p.ProcessState.ExitCode() != 1 {
		t.Errorf("of one that is not there: %v", err)
	}
}

// service runs an app in this process until the test's end, or stop.
func service(t *testing.T, build func(a *App)) (url string, stop func() error) {
	t.Helper()
	a := &App{Name: "orders", checks: map[string]func(context.Context) error{}, background: map[string]func(context.Context) error{}}
	build(a)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.serve(ctx, listener, 0, 500*time.Millisecond) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { stop() }) //nolint:errcheck // a test that cares has asked
	return "http://" + listener.Addr().String(), stop
}

func askStatus(t *testing.T, url string) (int, status) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s has no request id", url)
	}
	var s status
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	s.Uptime = 0
	return response.StatusCode, s
}

func TestHealthAndReadiness(t *testing.T) {
	var away atomic.Bool
	away.Store(true)
	url, _ := service(t, func(a *App) {
		a.Check("database", func(context.Context) error {
			if away.Load() {
				return errors.New("secret reason")
			}
			return nil
		})
		a.Check("pictures", func(context.Context) error { return nil })
	})
	expect := func(when, path string, code int, text string, checks map[string]string) {
		t.Helper()
		got, body := askStatus(t, url+path)
		if diff := cmp.Diff(status{text, "orders", "dev", "unknown", 0, checks}, body); diff != "" || got != code {
			t.Errorf("%s, %s: %d, want %d (-want +got):\n%s", when, path, got, code, diff)
		}
	}
	expect("before it was ready", "/healthz", 503, "starting", nil)
	expect("before it was ready", "/readyz", 503, "unavailable", map[string]string{"database": "unavailable", "pictures": "ok"})
	away.Store(false)
	expect("when the database is there", "/readyz", 200, "ok", map[string]string{"database": "ok", "pictures": "ok"})
	expect("when the database is there", "/healthz", 200, "ok", nil)
	away.Store(true)
	expect("when it has gone again", "/healthz", 200, "ok", nil)
	expect("when it has gone again", "/readyz", 503, "unavailable", map[string]string{"database": "unavailable", "pictures": "ok"})
}

func TestACheckThatHangsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	url, _ := service(t, func(a *App) {
		a.Check("database", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	})
	began := time.Now()
	if got, _ := askStatus(t, url+"/readyz"); got != 503 || time.Since(began) > checkTimeout+time.Second {
		t.Errorf("%d after %s", got, time.Since(began))
	}
}

func TestBackgroundWorkIsWaitedFor(t *testing.T) {
	var finished, closed atomic.Bool
	_, stop := service(t, func(a *App) {
		a.OnStop(func() { closed.Store(finished.Load()) })
		a.Background("consuming", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond)
			finished.Store(true)
			return nil
		})
	})
	if err := stop(); err != nil || !finished.Load() || !closed.Load() {
		t.Errorf("%v; finished: %t, closed after that: %t", err, finished.Load(), closed.Load())
	}
}

func TestBackgroundWorkThatHangsIsLeftBehind(t *testing.T) {
	t.Parallel()
	_, stop := service(t, func(a *App) {
		a.Background("hanging", func(context.Context) error { select {} })
	})
	began := time.Now()
	if err := stop(); err != nil || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestBackgroundWorkThatEndsEndsTheService(t *testing.T) {
	for name, work := range map[string]func(context.Context) error{
		"relaying: no more":        func(context.Context) error { return errors.New("no more") },
		"relaying ended by itself": func(context.Context) error { return nil },
		"relaying: panic: oh no":   func(context.Context) error { panic("oh no") },
	} {
		a := &App{background: map[string]func(context.Context) error{"relaying": work}}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := a.serve(t.Context(), listener, 0, time.Second); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// A worker has no routes, and answers its health check until its work is done.
func TestAWorkersHealthWhileItStops(t *testing.T) {
	stopping := make(chan struct{})
	url, stop := service(t, func(a *App) {
		a.Background("consuming", func(ctx context.Context) error {
			<-ctx.Done()
			close(stopping)
			time.Sleep(200 * time.Millisecond)
			return nil
		})
	})
	askStatus(t, url+"/readyz")
	go stop() //nolint:errcheck // it is about the health
	<-stopping
	if got, _ := askStatus(t, url+"/healthz"); got != http.StatusOK {
		t.Errorf("/healthz gives %d while the work is finished", got)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	url, _ := service(t, func(a *App) { a.Handle(web.Handler(slowly)) })
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := bufio.NewReader(conn).ReadByte(); !errors.Is(err, io.EOF) || time.Since(began) > 9*time.Second {
		t.Errorf("a head that does not end: %v after %s", err, time.Since(began))
	}
}

func TestEnv(t *testing.T) {
	for name, value := range map[string]string{
		"GOOD_URL": "http://payments", "GOOD_TLS": "https://payments:8443",
		"SLASH": "http://payments/", "PATH_URL": "http://payments/x", "FTP": "ftp://x",
		"QUEUE": "https://sqs.eu-west-1.amazonaws.com/111122223333/mail", "NO_QUEUE": "mail",
		"TOPIC": "arn:aws:sns:eu-west-1:111122223333:order-placed", "NO_ARN": "order-placed",
		"JSON": `[{"role":"a"}]`, "NO_JSON": "{", "PORT_OK": "8080", "ZERO": "0", "NEGATIVE": "-1",
	} {
		t.Setenv(name, value)
	}
	good := &Env{}
	var roles []struct{ Role string }
	good.JSON("JSON", &roles)
	got := []any{
		good.URL("GOOD_URL"), good.URL("GOOD_TLS"), good.QueueURL("QUEUE"), good.ARN("TOPIC", "sns"),
		good.Port("PORT_OK"), roles[0].Role, good.Optional("NOT_SET"),
	}
	want := []any{
		"http://payments", "https://payments:8443", "https://sqs.eu-west-1.amazonaws.com/111122223333/mail",
		"arn:aws:sns:eu-west-1:111122223333:order-placed", 8080, "a", "",
	}
	if diff := cmp.Diff(want, got); diff != "" || good.Err() != nil {
		t.Errorf("%v (-want +got):\n%s", good.Err(), diff)
	}
	for name, read := range map[string]func(e *Env){
		"SLASH":    func(e *Env) { e.URL("SLASH") },
		"PATH_URL": func(e *Env) { e.URL("PATH_URL") },
		"FTP":      func(e *Env) { e.URL("FTP") },
		"NO_QUEUE": func(e *Env) { e.QueueURL("NO_QUEUE") },
		"NO_ARN":   func(e *Env) { e.ARN("NO_ARN", "sns") },
		"TOPIC":    func(e *Env) { e.ARN("TOPIC", "sqs") },
		"NO_JSON":  func(e *Env) { e.JSON("NO_JSON", &roles) },
		"ZERO":     func(e *Env) { e.Port("ZERO") },
		"NEGATIVE": func(e *Env) { e.Port("NEGATIVE") },
		"NOT_SET":  func(e *Env) { e.String("NOT_SET") },
	} {
		bad := &Env{}
		read(bad)
		if err := bad.Err(); err == nil || !strings.Contains(err.Error(), name+" is ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
