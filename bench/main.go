// Command bench measures synthesis: stock jsii, fast (internal/fastsynth) and TypeScript compiled beforehand, which makes the
// same resources. It prints Markdown. One run measures all three in turn, so that ratios hold on a busy machine too.
//
//	go run ./bench [-runs 5] [-sizes 1,10,50,200]
//
// bench/app is the app, of the sample platform or of more services; bench/typescript makes what the app has made.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"aws-microservices/stacks"
)

func main() {
	runs := flag.Int("runs", 5, "runs of each; the tables show medians")
	sizes := flag.String("sizes", "1,10,50,200", "services an environment, besides the sample platform's")
	flag.Parse()
	if err := bench(*runs, *sizes); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// way is a way to synthesize.
type way struct {
	name string
	env  []string
	// command makes the resources of the services, or one if it is to stop after the first.
	command func(services int, first bool) []string
}

// sample is what one process took.
type sample struct {
	first, wall time.Duration
	memory      int64
}

func bench(runs int, sizes string) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	app := filepath.Join(dir, "app")
	if err := quietly("go", "build", "-o", app, "./bench/app"); err != nil {
		return err
	}
	if err := typescript(); err != nil {
		return err
	}
	reference := func(services int) string { return filepath.Join(dir, "reference"+strconv.Itoa(services)) }
	golang := func(services int, first bool) []string {
		return []string{app, "-services", strconv.Itoa(services), "-out", filepath.Join(dir, "out"), "-first=" + strconv.FormatBool(first)}
	}
	ways := []way{
		{"stock", []string{"FAST_SYNTH=off"}, golang},
		{"fast", []string{"FAST_SYNTH="}, golang},
		{"TypeScript", nil, func(services int, first bool) []string {
			command := []string{"node", "bench/typescript/node_modules/.bench/main.js", reference(services), filepath.Join(dir, "typescript")}
			if first {
				command = append(command, "first")
			}
			return command
		}},
	}

	services := []int{0}
	for _, s := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("-sizes %s: %w", sizes, err)
		}
		services = append(services, n)
	}
	resources := map[int]int{}
	for _, n := range services {
		if resources[n], err = prepare(app, n, reference(n), ways[2].command(n, false), filepath.Join(dir, "typescript")); err != nil {
			return err
		}
	}

	fmt.Printf("Medians of %d runs.\n\n", runs)
	fmt.Println("| | resources | stock | fast | TypeScript | stock / fast | fast / TypeScript |")
	fmt.Println("|---|---|---|---|---|---|---|")
	firsts, err := measure(ways, runs, 0, true)
	if err != nil {
		return err
	}
	row("time to the first resource", 1, firsts, func(s sample) float64 { return s.first.Seconds() }, "%.2f s")
	all := map[int]map[string][]sample{}
	for _, n := range services {
		if all[n], err = measure(ways, runs, n, false); err != nil {
			return err
		}
		row(label(n)+", wall time", resources[n], all[n], func(s sample) float64 { return s.wall.Seconds() }, "%.2f s")
		row(label(n)+", peak memory", resources[n], all[n], func(s sample) float64 { return float64(s.memory >> 20) }, "%.0f MB")
	}

	fmt.Println("\nWhat each service more costs, in all environments together:")
	fmt.Println("\n| services | stock | fast | TypeScript |")
	fmt.Println("|---|---|---|---|")
	for i := 2; i < len(services); i++ {
		from, to := services[i-1], services[i]
		fmt.Printf("| %d to %d |", from, to)
		for _, w := range ways {
			by := func(value func(sample) float64) float64 {
				return (median(all[to][w.name], value) - median(all[from][w.name], value)) / float64(to-from)
			}
			fmt.Printf(" %.0f ms, %.2f MB |", by(func(s sample) float64 { return float64(s.wall.Milliseconds()) }),
				by(func(s sample) float64 { return float64(s.memory) / (1 << 20) }))
		}
		fmt.Println()
	}
	return others(app, dir, runs)
}

// others measures what comes with synthesis: the first run of all, and the command that an operator types.
func others(app, dir string, runs int) error {
	packages := os.Getenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT")
	if packages == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		packages = filepath.Join(caches, "aws", "jsii", "package-cache")
	}
	synth := []string{"cdktf", "synth", "--output", filepath.Join(dir, "cdktf")}
	rows := []struct {
		name, before, after string
		stock, fast         way
	}{
		{
			"first run, without a cache", "stock", "fast",
			way{env: []string{"FAST_SYNTH=off"}, command: func(int, bool) []string { return []string{app, "-out", filepath.Join(dir, "out")} }},
			way{env: []string{"XDG_CACHE_HOME=" + filepath.Join(dir, "cold"), "JSII_RUNTIME_PACKAGE_CACHE_ROOT=" + packages},
				command: func(int, bool) []string {
					os.RemoveAll(filepath.Join(dir, "cold"))
					return []string{app, "-out", filepath.Join(dir, "out")}
				}},
		},
		{
			"`cdktf synth`", "stock, `go run .`", "as in cdktf.json",
			way{env: []string{"FAST_SYNTH=off", "CI=1"}, command: func(int, bool) []string { return append(slices.Clone(synth), "--app", "go run .") }},
			way{env: []string{"FAST_SYNTH=", "CI=1"}, command: func(int, bool) []string { return synth }},
		},
	}
	fmt.Println("\n| | stock | fast | fast / stock |")
	fmt.Println("|---|---|---|---|")
	for _, r := range rows {
		r.stock.name, r.fast.name = "stock", "fast"
		got, err := measure([]way{r.stock, r.fast}, runs, 0, false)
		if err != nil {
			return err
		}
		wall := func(s sample) float64 { return s.wall.Seconds() }
		stock, fast := median(got["stock"], wall), median(got["fast"], wall)
		fmt.Printf("| %s | %.2f s (%s) | %.2f s (%s) | %.0f %% |\n", r.name, stock, r.before, fast, r.after, 100*fast/stock)
	}
	return nil
}

func label(services int) string {
	if services == 0 {
		return "sample platform"
	}
	return fmt.Sprintf("%d services", services)
}

func row(name string, resources int, got map[string][]sample, value func(sample) float64, format string) {
	stock, fast, ts := median(got["stock"], value), median(got["fast"], value), median(got["TypeScript"], value)
	fmt.Printf("| %s | %d | "+format+" | "+format+" | "+format+" | %.1f | %.2f |\n", name, resources, stock, fast, ts, stock/fast, fast/ts)
}

func median(samples []sample, value func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// typescript installs and compiles the app to compare with.
func typescript() error {
	if _, err := os.Stat("bench/typescript/node_modules/cdktf"); err != nil {
		if err := quietly("npm", "ci", "--prefix", "bench/typescript", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
			return err
		}
	}
	return quietly("bench/typescript/node_modules/.bin/tsc", "-p", "bench/typescript")
}

func quietly(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// prepare synthesizes what TypeScript is to make again, sees that it makes the same, and counts the resources. It also
// warms every cache.
func prepare(app string, services int, reference string, again []string, made string) (int, error) {
	if err := quietly(app, "-services", strconv.Itoa(services), "-out", reference); err != nil {
		return 0, err
	}
	order := []string{"bootstrap", "shared"}
	for _, e := range stacks.All.Environments {
		order = append(order, e.Name)
	}
	raw, err := json.Marshal(order)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(reference, "order.json"), raw, 0o644); err != nil {
		return 0, err
	}
	if err := quietly(again[0], again[1:]...); err != nil {
		return 0, err
	}
	count := 0
	for _, name := range order {
		want, err := resources(filepath.Join(reference, "stacks", name, "cdk.tf.json"))
		if err != nil {
			return 0, err
		}
		got, err := resources(filepath.Join(made, "stacks", name, "cdk.tf.json"))
		if err != nil {
			return 0, err
		}
		if !reflect.DeepEqual(want, got) {
			return 0, fmt.Errorf("TypeScript makes other resources of stack %s: bench/typescript/main.ts does not know how to make all of them", name)
		}
		count += len(want)
	}
	return count, nil
}

// resources reads a stack's resources and data sources, without the notes that cdktf adds.
func resources(file string) (map[string]map[string]any, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var stack struct {
		Resource, Data map[string]map[string]map[string]any
	}
	if err := json.Unmarshal(raw, &stack); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	all := map[string]map[string]any{}
	for kind, types := range map[string]map[string]map[string]map[string]any{"": stack.Resource, "data.": stack.Data} {
		for t, named := range types {
			for name, r := range named {
				delete(r, "//")
				all[kind+t+"."+name] = r
			}
		}
	}
	return all, nil
}

// measure runs every way in turn, runs times.
func measure(ways []way, runs, services int, first bool) (map[string][]sample, error) {
	got := map[string][]sample{}
	for range runs {
		for _, w := range ways {
			command := w.command(services, first)
			s, err := one(command, w.env)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", w.name, strings.Join(command, " "), err)
			}
			if first && s.first == 0 {
				return nil, fmt.Errorf("%s: %s: says nothing of a first resource", w.name, strings.Join(command, " "))
			}
			got[w.name] = append(got[w.name], s)
		}
	}
	return got, nil
}

// one runs a command. Its peak memory is the most that it and its children have held at one time.
func one(command, env []string) (sample, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return sample{}, err
	}
	var s sample
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	done, peak := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		for {
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, resident(cmd.Process.Pid))
			}
		}
	}()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if lines.Text() == "first" {
			s.first = time.Since(start)
		}
	}
	err = cmd.Wait()
	s.wall = time.Since(start)
	close(done)
	s.memory = <-peak
	if err != nil {
		err = errors.Join(err, errors.New(stderr.String()))
	}
	return s, err
}

// resident is the memory of a process and of its children, as Linux tells; zero elsewhere.
func resident(pid int) int64 {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	var total int64
	if raw, err := os.ReadFile(filepath.Join(proc, "statm")); err == nil {
		if f := strings.Fields(string(raw)); len(f) > 1 {
			pages, _ := strconv.ParseInt(f[1], 10, 64)
			total += pages * int64(os.Getpagesize())
		}
	}
	threads, _ := filepath.Glob(filepath.Join(proc, "task", "*", "children"))
	for _, file := range threads {
		raw, _ := os.ReadFile(file)
		for _, child := range strings.Fields(string(raw)) {
			if n, err := strconv.Atoi(child); err == nil {
				total += resident(n)
			}
		}
	}
	return total
}
