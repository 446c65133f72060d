// Package app is the frame of a service: configuration, log, health, HTTP server, background work, and an end in good order.
//
// Health comes in two kinds, because they have different consequences.
//
// /healthz is what the load balancer and ECS ask, and they replace a task that fails it. So it depends on nothing else: if
// tasks were replaced while the database is away, the outage would be followed by a cold start of everything. It fails only
// until the service has been ready once, so that a deployment whose tasks never get to work is rolled back.
//
// /readyz says whether all that the service needs answers now, and names what does not. It is for people and monitoring, and
// the requests say the same with 503 meanwhile.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"shop/internal/build"
	"shop/internal/logs"
	"shop/internal/web"
)

const (
	// drain is how long what is in hand may take after SIGTERM. ECS kills a task later than that.
	drain = 25 * time.Second
	// linger is how long a stopping server still takes requests: who sends them may not know yet.
	linger = time.Second
	// workerPort is where a worker answers its health check, unless PORT says otherwise: workers that are processes of one machine
	// instead of containers cannot all have the same.
	workerPort = "8080"
)

// Start wires a service: it makes what the service is made of and returns. An error ends the process with 1. It must not wait
// for anything to answer: a service starts while its database is away.
type Start func(ctx context.Context, a *App) error

// App is a running service, under construction by its Start.
type App struct {
	// Name of the service, SERVICE_NAME.
	Name string

	handler    http.Handler
	checks     map[string]func(context.Context) error
	background map[string]func(context.Context) error
	closers    []func()
	health     health
}

// Handle sets what answers requests that are not about health. It gets request ids, an access log, and the recovery of panics
// around it; see web.Wrap.
func (a *App) Handle(handler http.Handler) { a.handler = handler }

// Check adds something that the service needs in order to be ready, e.g. "database". It is asked with 2 s to answer, whenever
// somebody asks for /readyz.
func (a *App) Check(name string, check func(context.Context) error) { a.checks[name] = check }

// Background runs work beside the requests, until the context ends: that is SIGTERM, and means to take no new work, finish what
// is in hand within 25 s, and return. So use context.WithoutCancel for what is in hand. Returning earlier, and a panic, end
// the service with 1.
func (a *App) Background(name string, work func(ctx context.Context) error) {
	a.background[name] = work
}

// OnStop adds what is to be closed when all work is done. The last added is closed first.
func (a *App) OnStop(closer func()) { a.closers = append(a.closers, closer) }

// Serve is the main function of a service that listens on PORT: `Web` and `Internal`.
func Serve(configure func(env *Env) Start) {
	main(func(env *Env) func(context.Context) error {
		address := net.JoinHostPort("", strconv.Itoa(env.Port("PORT")))
		return run(env, address, configure(env))
	})
}

// Work is the main function of a `Worker`. Since it listens for nobody, it answers /healthz and /readyz on loopback only: at
// PORT, by default 8080.
func Work(configure func(env *Env) Start) {
	main(func(env *Env) func(context.Context) error {
		return run(env, loopback(env.Optional("PORT")), configure(env))
	})
}

func loopback(port string) string { return net.JoinHostPort("127.0.0.1", cmp.Or(port, workerPort)) }

// Once is the main function of a `Job` or a `Task`: what configure returns is run once. Its context ends with SIGTERM. An error
// ends the process with 1.
func Once(configure func(env *Env) func(ctx context.Context) error) { main(configure) }

func main(configure func(env *Env) func(context.Context) error) {
	if len(os.Args) == 2 && os.Args[1] == "-health" {
		os.Exit(askHealth(os.Getenv("PORT")))
	}
	env := &Env{}
	name := env.String("SERVICE_NAME")
	env.String("AWS_REGION") // read by the SDK
	slog.SetDefault(logs.New(os.Stdout, name))
	body := configure(env)
	if err := env.Err(); err != nil {
		fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		slog.Info("stopping", "signal", (<-signals).String())
		cancel()
		slog.Warn("stopping at once", "signal", (<-signals).String())
		os.Exit(1)
	}()
	if err := body(ctx); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	slog.Error(err.Error())
	os.Exit(1)
}

func run(env *Env, address string, start Start) func(context.Context) error {
	name := env.Optional("SERVICE_NAME")
	return func(ctx context.Context) error {
		a := &App{
			Name:   name,
			checks: map[string]func(context.Context) error{}, background: map[string]func(context.Context) error{},
		}
		if err := start(ctx, a); err != nil {
			return err
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		return a.serve(ctx, listener, linger, drain)
	}
}

// serve runs the service until the context ends or some work fails, and then ends it in good order.
func (a *App) serve(ctx context.Context, listener net.Listener, linger, drain time.Duration) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	a.health.checks, a.health.name, a.health.started = a.checks, a.Name, time.Now()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health.live)
	mux.HandleFunc("GET /readyz", a.health.ready)
	if a.handler != nil {
		mux.Handle("/", web.Wrap(a.handler))
	}
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       75 * time.Second, // longer than the load balancer's 60 s, or it would send into a closing connection
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}

	var works sync.WaitGroup
	for name, work := range a.background {
		works.Go(func() {
			err := guard(ctx, work)
			switch {
			case ctx.Err() == nil && err == nil:
				stop(fmt.Errorf("%s ended by itself", name))
			case ctx.Err() == nil:
				stop(fmt.Errorf("%s: %w", name, err))
			case err != nil && !errors.Is(err, context.Canceled):
				slog.Error("work ended badly", "work", name, "error", err.Error())
			}
		})
	}
	go a.health.waitUntilReady(ctx)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			stop(err)
		}
	}()
	slog.Info("started", "commit", build.Commit, "address", listener.Addr().String())

	<-ctx.Done()
	cause := context.Cause(ctx)
	a.health.stop()
	server.SetKeepAlivesEnabled(false)
	deadline, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if a.handler != nil {
		time.Sleep(linger)
		if err := server.Shutdown(deadline); err != nil {
			slog.Error("requests were cut off", "error", err.Error())
		}
	}
	done := make(chan struct{})
	go func() { works.Wait(); close(done) }()
	select {
	case <-done:
	case <-deadline.Done():
		slog.Error("work was cut off")
	}
	server.Close() // a worker answers its health check until here
	for _, closer := range slices.Backward(a.closers) {
		closer()
	}
	slog.Info("stopped")
	if errors.Is(cause, context.Canceled) {
		return nil
	}
	return cause
}

// guard turns a panic into an error.
func guard(ctx context.Context, work func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work(ctx)
}
