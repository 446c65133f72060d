// Package release_test releases a service and the page on the emulated platform, with the program and with real containers, as an
// operator would, and is hard on it. Run it with
//
//	source tools/env.sh && go test -timeout 45m -v ./test/release
//
// With -short, and where the machine runs no containers, all of it is skipped. The tests share one environment, which runs one
// service for real, and come one after the other: each leaves the service with a version that works.
package release_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"aws-microservices/internal/live"
	"aws-microservices/internal/live/stack"
	"aws-microservices/stacks"
)

const (
	// name is the service that is released.
	name = "catalog"
	// deployTime is longer than any deployment here takes.
	deployTime = 10 * time.Minute
)

var root, _ = filepath.Abs("../..")

// images are versions of the service by what is wrong with them.
var images = map[string]string{
	"v1.0.0": "works",
	"v2.0.0": "works",
	"v3.0.0": "slow",
	"v3.1.0": "slow",
	"v9.0.0": "crashes",
	"v9.1.0": "sick",
	"v9.2.0": "killed",
	"v9.4.0": "hungry",
}

// world is the environment that all tests share.
type world struct {
	*live.Sandbox
	dir, program string
	log          *os.File
	ecs          *ecs.Client
	ssm          *ssm.Client
	dev          *stack.Stack
}

func TestMain(m *testing.M) {
	code := m.Run()
	if !started {
		os.Exit(code) // asked only now, running would start it
	}
	if w, _ := running(); w != nil && w.Sandbox != nil {
		code = w.Close(w.dir, code)
	}
	os.Exit(code)
}

var started bool

// running brings the environment up once, with nothing released.
var running = sync.OnceValues(func() (*world, error) {
	started = true
	dir, err := os.MkdirTemp("", "release-test-")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, program: filepath.Join(dir, "deploy")}
	if w.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	live.UseMirror(root)
	if err := w.up(context.Background()); err != nil {
		return w, fmt.Errorf("%w\nlogs: %s", err, dir)
	}
	return w, nil
})

func (w *world) up(ctx context.Context) error {
	var err error
	if w.Sandbox, err = live.OpenSandbox(ctx, root, w.dir, w.log); err != nil || w.Without != nil {
		return err
	}
	w.ecs, w.ssm = ecs.NewFromConfig(w.Config()), ssm.NewFromConfig(w.Config())
	if err := w.impatient(); err != nil {
		return err
	}
	if err := w.Bootstrap(ctx); err != nil {
		return err
	}
	if err := w.Apply(ctx, live.Shared); err != nil {
		return err
	}
	if err := w.build(ctx); err != nil {
		return err
	}
	if w.dev, err = w.Stack(ctx, stacks.Dev.Name); err != nil {
		return err
	}
	return w.dev.Apply(ctx)
}

// The service's addresses in the environment's state.
const (
	definitionAddress = "aws_ecs_task_definition.services_catalog_task-definition_48599A76"
	serviceAddress    = "aws_ecs_service.services_catalog_service_4948B765"
)

// impatient makes the services' health checks as fast as they can be, in the copy of the JSON: nobody wants to wait minutes for
// an image that never gets well.
func (w *world) impatient() error {
	return w.edit(func(text []byte) ([]byte, error) {
		return bytes.ReplaceAll(text, []byte(`\"interval\":10,\"timeout\":5,\"retries\":3,\"startPeriod\":30`),
			[]byte(`\"interval\":2,\"timeout\":2,\"retries\":2,\"startPeriod\":10`)), nil
	})
}

// resize gives the service another size, as a change of stacks/dev.go would.
func (w *world) resize(t *testing.T, cpu, memory string) {
	t.Helper()
	must(t, w.edit(func(text []byte) ([]byte, error) {
		var document map[string]any
		if err := json.Unmarshal(text, &document); err != nil {
			return nil, err
		}
		kind, id, _ := strings.Cut(definitionAddress, ".")
		definition := document["resource"].(map[string]any)[kind].(map[string]any)[id].(map[string]any)
		definition["cpu"], definition["memory"] = cpu, memory
		return json.Marshal(document)
	}))
}

// edit changes the copy of the environment's JSON.
func (w *world) edit(change func([]byte) ([]byte, error)) error {
	file := filepath.Join(w.Out, "stacks", stacks.Dev.Name, stack.File)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed, err := change(text)
	if err != nil {
		return err
	}
	if bytes.Equal(text, changed) {
		return fmt.Errorf("%s has nothing to change", file)
	}
	return os.WriteFile(file, changed, 0o644)
}

// build builds the program, and pushes an image of every version.
func (w *world) build(ctx context.Context) error {
	if err := w.run(ctx, root, "go", "build", "-o", w.program, "./cmd/deploy"); err != nil {
		return err
	}
	source := filepath.Join(root, "test", "release", "testdata", "service")
	for version, kind := range images {
		folder := filepath.Join(w.dir, "images", version)
		if err := os.MkdirAll(filepath.Join(folder, "tmp"), 0o755); err != nil {
			return err
		}
		flags := fmt.Sprintf("-s -w -X main.version=%s -X main.kind=%s", version, kind)
		err := w.run(ctx, source, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-ldflags", flags, "-o", filepath.Join(folder, "app"), "main.go")
		if err != nil {
			return err
		}
		image := w.image(version)
		if err := w.Emulator.Engine.Build(ctx, w.log, folder, filepath.Join(source, "Dockerfile"), image); err != nil {
			return err
		}
		if err := w.Emulator.Engine.Push(ctx, image); err != nil {
			return err
		}
	}
	return nil
}

// image is a version's name at the emulator's registry.
func (w *world) image(version string) string {
	return strings.TrimPrefix(w.Emulator.URL(), "http://") + "/shop/" + name + ":" + version
}

func (w *world) run(ctx context.Context, folder, command string, arguments ...string) error {
	cmd := exec.CommandContext(ctx, command, arguments...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, w.log, w.log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", command, strings.Join(arguments, " "), err)
	}
	return nil
}

// begin gives a test the environment.
func begin(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test releases on the AWS emulator; run it without -short")
	}
	w, err := running()
	if err != nil {
		t.Fatal(err)
	}
	if w.Without != nil {
		t.Skip(w.Without)
	}
	return w
}

// answer is how the program ended.
type answer struct {
	code int
	// out is the document on stdout, text what a person reads.
	out  map[string]any
	text string
}

// start starts the program.
func (w *world) start(t *testing.T, env []string, arguments ...string) (cmd *exec.Cmd, text *lines, wait func() answer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deployTime)
	cmd = exec.CommandContext(ctx, w.program, slices.Insert(slices.Clone(arguments), 1, "-json")...)
	cmd.Env = append(w.Emulator.Environ(stacks.All.Shared.AccountID, stacks.All.Shared.Region), env...)
	cmd.Dir = root
	var out bytes.Buffer
	text = &lines{}
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(text, w.log)
	must(t, cmd.Start())
	return cmd, text, func() answer {
		t.Helper()
		defer cancel()
		err := cmd.Wait()
		if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		a := answer{code: cmd.ProcessState.ExitCode(), text: text.String()}
		if out.Len() > 0 {
			if err := json.Unmarshal(out.Bytes(), &a.out); err != nil {
				t.Errorf("%v: stdout is no JSON document: %v\n%s", arguments, err, out.String())
			}
		}
		return a
	}
}

// deploy runs the program and expects it to end with a code, and to say the texts.
func (w *world) deploy(t *testing.T, code int, arguments []string, texts ...string) answer {
	t.Helper()
	_, _, wait := w.start(t, nil, arguments...)
	a := wait()
	a.expect(t, code, texts...)
	return a
}

func (a answer) expect(t *testing.T, code int, texts ...string) {
	t.Helper()
	t.Logf("exit %d\n%s%v", a.code, a.text, a.out)
	if a.code != code {
		t.Errorf("exit code %d, want %d", a.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("does not say %q", text)
		}
	}
}

// serves fails unless the service, the ledger and the newest revision agree on a version, which answers.
func (w *world) serves(t *testing.T, version string) {
	t.Helper()
	want := w.digest(t, version)
	if value := w.ledger(t)[0]; !strings.HasSuffix(aws.ToString(value.Value), "@"+want) {
		t.Errorf("the ledger says %s, want %s", aws.ToString(value.Value), want)
	}
	service := w.service(t)
	primary := service.Deployments[0]
	if primary.RolloutState != ecstypes.DeploymentRolloutStateCompleted || len(service.Deployments) != 1 {
		t.Errorf("%d deployments, the first %s", len(service.Deployments), primary.RolloutState)
	}
	family := w.Cluster() + "-" + name
	for _, definition := range []string{*service.TaskDefinition, family} {
		found, err := w.ecs.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &definition})
		must(t, err)
		if image := *found.TaskDefinition.ContainerDefinitions[0].Image; !strings.HasSuffix(image, "@"+want) {
			t.Errorf("%s runs %s, want %s", definition, image, want)
		}
	}
	if answered := w.ask(t); answered != version {
		t.Errorf("%q answers, want %s", answered, version)
	}
}

// agrees fails where Terraform would change anything.
func (w *world) agrees(t *testing.T) {
	t.Helper()
	plan, err := w.dev.Diff(t.Context())
	must(t, err)
	if !plan.Empty() {
		t.Errorf("Terraform would change\n%s", plan)
	}
}

// ask is what the service answers through CloudFront and the load balancer.
func (w *world) ask(t *testing.T) string {
	t.Helper()
	_, body := w.get(t, "/api/catalog/version")
	return body
}

func (w *world) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Emulator.SiteURL()+path, nil)
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return response, string(body)
}

func (w *world) service(t *testing.T) ecstypes.Service {
	t.Helper()
	found, err := w.ecs.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String(w.Cluster()), Services: []string{name}})
	must(t, err)
	return found.Services[0]
}

// ledger is the service's, newest first.
func (w *world) ledger(t *testing.T) []ssmtypes.ParameterHistory {
	t.Helper()
	parameter := "/shop/dev/" + name + "/image"
	var all []ssmtypes.ParameterHistory
	pages := ssm.NewGetParameterHistoryPaginator(w.ssm, &ssm.GetParameterHistoryInput{Name: &parameter})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		for _, entry := range page.Parameters {
			all = append([]ssmtypes.ParameterHistory{entry}, all...)
		}
	}
	return all
}

// digest is that of a version in the registry.
func (w *world) digest(t *testing.T, version string) string {
	t.Helper()
	response, err := http.Head(w.Emulator.URL() + "/v2/shop/" + name + "/manifests/" + version)
	must(t, err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", version, response.Status)
	}
	return response.Header.Get("Docker-Content-Digest")
}

// lines is what a program has printed so far.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// within tries until there is no error.
func within(t *testing.T, limit time.Duration, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still after %s: %v", limit, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
