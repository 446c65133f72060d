package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"aws-microservices/internal/bootstrap"
	"aws-microservices/internal/emulator"
	"aws-microservices/internal/live/stack"
	"aws-microservices/stacks"
)

// DemoDir is the folder, below the repository's root, of everything the demo keeps; git ignores it.
const DemoDir = ".demo"

// demoPort is where AWS emulators usually listen, so that other tools find it.
const demoPort = 4566

// demoPagePort is where the page is, unless somebody listens there.
const demoPagePort = 8080

// demoEnvironment is the one that the demo deploys, after what all of them share.
var demoEnvironment = stacks.Dev

// demoStacks are what the demo deploys.
var demoStacks = []string{Shared, demoEnvironment.Name}

// Up brings the platform up on this machine, with the shop on it, and leaves it running: an emulator, the bootstrap, the
// real `cdktf deploy` in the checkout, and real containers, or processes on a machine that runs none. Where it runs already,
// Up brings it up to date. root is the repository's root, out its cdktf.out.
func Up(ctx context.Context, root, out string, w io.Writer) error {
	d, err := up(ctx, root, out, w)
	if err != nil {
		return err
	}
	d.nextSteps()
	return nil
}

// Demo is Up and a browser that orders something through the page. The pictures it takes go to the demo's folder.
func Demo(ctx context.Context, root, out string, w io.Writer) error {
	d, err := up(ctx, root, out, w)
	if err != nil {
		return err
	}
	if err := d.browse(ctx, filepath.Join(d.dir, "pictures")); err != nil {
		return err
	}
	d.nextSteps()
	return nil
}

// Screenshots takes the pictures of the README from the demo, which has to be up.
func Screenshots(ctx context.Context, root, out string, w io.Writer) error {
	d := newDemo(root, out, w)
	var err error
	if d.emulator, err = emulator.Attach(d.dir); err != nil {
		return fmt.Errorf("%w\nrun make up first", err)
	}
	if err := d.openShop(ctx); err != nil {
		return err
	}
	return d.browse(ctx, filepath.Join(root, "docs", "pictures"))
}

func up(ctx context.Context, root, out string, w io.Writer) (*demo, error) {
	d := newDemo(root, out, w)
	if err := d.up(ctx); err != nil {
		return nil, fmt.Errorf("%w\nlogs: %s; run it again to carry on, or make down first to start over", err, d.dir)
	}
	return d, nil
}

func newDemo(root, out string, w io.Writer) *demo {
	return &demo{root: root, out: out, dir: filepath.Join(root, DemoDir), w: w, progress: NewProgress(w)}
}

type demo struct {
	root, out, dir string
	w              io.Writer
	progress       *Progress
	emulator       *emulator.Emulator
	shop           *Shop
	env            []string
}

func (d *demo) up(ctx context.Context) error {
	if _, err := exec.LookPath("cdktf"); err != nil {
		return errors.New("cdktf is not on PATH: use make demo, or run make tools and then source tools/env.sh")
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.openShop(ctx); err != nil {
		return err
	}
	// Meanwhile, because Terraform mostly waits.
	built := make(chan error, 1)
	go func() {
		built <- d.progress.step("shop", "build", func() (string, error) { return "services and page", d.shop.Build(ctx) })
	}()
	err := d.bootstrap(ctx)
	if err == nil {
		err = d.deploy(ctx, Shared)
	}
	if err := errors.Join(err, <-built); err != nil {
		return err
	}
	if err := d.progress.step("shop", "push", func() (string, error) { return "images", d.shop.Push(ctx) }); err != nil {
		return err
	}
	if err := d.deploy(ctx, demoEnvironment.Name); err != nil {
		return err
	}
	err = d.progress.step("shop", "release", func() (string, error) {
		return "services and page, with schema, secret and pictures", d.shop.Release(ctx)
	})
	if err != nil {
		return err
	}
	return d.prove(ctx)
}

func (d *demo) openShop(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(d.dir, "shop.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	d.shop, err = OpenShop(ctx, d.root, d.emulator, demoEnvironment, log)
	return err
}

func (d *demo) browse(ctx context.Context, pictures string) error {
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	return d.progress.step("shop", "order", func() (string, error) {
		order, err := d.shop.Browse(ctx, pictures)
		return fmt.Sprintf("%s by a browser: confirmed, mailed and shipped after %.0f s; pictures: %s", order.ID, order.Seconds, pictures), err
	})
}

// start attaches to a running emulator or starts one that stays, and writes its environment for use by hand.
func (d *demo) start(ctx context.Context) error {
	err := d.progress.step("emulator", "start", func() (string, error) {
		running, err := emulator.Attach(d.dir)
		if err == nil {
			d.emulator = running
			return running.URL() + " (runs already)", nil
		}
		e, without, err := StartEmulator(ctx, emulator.Config{
			Root: d.root, Dir: d.dir, Port: freePort(demoPort), SitePort: freePort(demoPagePort), Detach: true,
		})
		if err != nil {
			return "", err
		}
		d.emulator = e
		if without != nil {
			return fmt.Sprintf("%s (%v: the services run as processes instead)", e.URL(), without), nil
		}
		return e.URL(), nil
	})
	if err != nil {
		return err
	}
	if d.env, err = Environ(d.emulator, d.out); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, "env"), []byte(shellEnv(d.env)), 0o644)
}

// bootstrap works on a copy of the JSON: a bootstrap of a real account that did not finish keeps its local state in the
// checkout, and the emulator must not get hold of that.
func (d *demo) bootstrap(ctx context.Context) error {
	dir := filepath.Join(d.dir, "cdktf.out")
	if err := Copy(d.out, dir, bootstrap.Name); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(d.dir, "bootstrap.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	return bootstrap.Run(ctx, bootstrap.Options{Dir: dir, Env: d.env, Out: d.w, Log: log})
}

// deploy runs what an operator would run, in the checkout.
func (d *demo) deploy(ctx context.Context, name string) error {
	arguments := []string{"deploy", name, "--auto-approve"}
	command := "cdktf " + strings.Join(arguments, " ")
	fmt.Fprintf(d.w, "\n$ %s\n", command)
	cmd := exec.CommandContext(ctx, "cdktf", arguments...)
	cmd.Dir = d.root
	cmd.Env = append(slices.Clone(d.env), "CI=1", "TF_IN_AUTOMATION=1") // no spinner, no hints
	cmd.Stdout, cmd.Stderr = d.w, d.w
	// Its own process group: Ctrl-C reaches it once, by Cancel. A second interrupt would make Terraform quit at once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Minute
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s failed, see its output above: %w", command, err)
	}
	fmt.Fprintf(d.w, "deployed in %.0f s\n\n", time.Since(start).Seconds())
	return nil
}

// prove shows each stack's outputs and that nothing is left to change.
func (d *demo) prove(ctx context.Context) error {
	for _, name := range demoStacks {
		s, err := stack.Open(d.out, name, stack.Options{Env: d.env})
		if err != nil {
			return err
		}
		if err := d.progress.step(name, "plan", func() (string, error) { return "no changes left", replan(ctx, s) }); err != nil {
			return err
		}
		if err := d.outputs(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) outputs(ctx context.Context, s *stack.Stack) error {
	outputs, err := s.Outputs(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(d.w, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		value := "(sensitive)"
		if !outputs[name].Sensitive {
			value = plain(outputs[name].Value)
		}
		fmt.Fprintf(table, "  %s\t%s\n", name, value)
	}
	return table.Flush()
}

// plain is a value as a person writes it: strings without quotes, all else as JSON.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var line bytes.Buffer
	if json.Compact(&line, value) != nil {
		return string(value)
	}
	return line.String()
}

func (d *demo) nextSteps() {
	fmt.Fprintf(d.w, `
The shop is at %s, the emulated AWS at %s. Next:
  source %s/env      this shell talks to the emulator: cdktf, terraform, aws
  cdktf diff dev        what a change of the code would do
  make up               deploy it, and the services that changed
  make down             stop and remove everything
`, d.emulator.SiteURL(), d.emulator.URL(), DemoDir)
}

// shellEnv is what of the environment differs from this process's, for bash. It loads the project's tools first.
func shellEnv(env []string) string {
	var b strings.Builder
	b.WriteString("# The demo's emulator: source this file in bash. Written by make up, removed by make down.\n")
	b.WriteString("source \"$(dirname \"${BASH_SOURCE[0]}\")/../tools/env.sh\"\n")
	given := os.Environ()
	b.WriteString("unset ${!AWS_*}\n")
	for _, pair := range slices.Sorted(slices.Values(env)) {
		key, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(key, "AWS_") || !slices.Contains(given, pair) {
			fmt.Fprintf(&b, "export %s='%s'\n", key, strings.ReplaceAll(value, "'", `'\''`))
		}
	}
	return b.String()
}

// freePort is the port if nobody listens on it, else 0 for any.
func freePort(port int) int {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0
	}
	l.Close()
	return port
}

// Down stops the demo and removes what it left: its folder, and Terraform's files in the checkout.
func Down(root, out string, w io.Writer) error {
	dir := filepath.Join(root, DemoDir)
	info, err := os.Stat(filepath.Join(dir, "env"))
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(w, "no demo is up")
		return os.RemoveAll(dir)
	}
	if err != nil {
		return err
	}
	if running, err := emulator.Attach(dir); err == nil {
		if err := running.Stop(); err != nil {
			return fmt.Errorf("stop the emulator at %s: %w", running.URL(), err)
		}
		fmt.Fprintf(w, "emulator at %s stopped\n", running.URL())
	}
	for _, name := range demoStacks {
		if err := tidy(filepath.Join(out, "stacks", name), info.ModTime(), w); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s and Terraform's files in %s removed\n", DemoDir, out)
	return nil
}

// tidy removes what Terraform and cdktf leave in a stack's folder. An errored.tfstate is a state Terraform could not
// save: one older than the demo belongs to a real account and stays.
func tidy(dir string, since time.Time, w io.Writer) error {
	errored := filepath.Join(dir, "errored.tfstate")
	if info, err := os.Stat(errored); err == nil && info.ModTime().Before(since) {
		fmt.Fprintf(w, "%s is older than the demo and stays: it is a state that was not saved, see terraform state push\n", errored)
	} else if err == nil {
		os.Remove(errored)
	}
	for _, file := range []string{".terraform", ".terraform.lock.hcl", "plan", stack.PlanFile} {
		if err := os.RemoveAll(filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	return nil
}
