package fastsynth_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/jsii-runtime-go"
	jsiiruntime "github.com/aws/jsii-runtime-go/runtime"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucket"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/internal/fastsynth"
	"aws-microservices/stacks"
)

// app makes the test's own program an app that synthesizes: what it synthesizes, and into which folder.
const app, outdir = "FASTSYNTH_TEST_APP", "CDKTF_OUTDIR"

func TestMain(m *testing.M) {
	what := os.Getenv(app)
	if what == "" {
		os.Exit(m.Run())
	}
	fastsynth.Enable()
	fastsynth.Enable() // once is enough, and twice does no harm
	out := os.Getenv(outdir)
	if what == "platform" {
		stacks.Build(stacks.All, out).Synth()
	} else {
		app := cdktf.NewApp(&cdktf.AppConfig{Outdir: &out})
		stack := cdktf.NewTerraformStack(app, jsii.String("stack"))
		cdktf.NewLocalBackend(stack, &cdktf.LocalBackendConfig{Path: jsii.String("state")})
		provider.NewAwsProvider(stack, jsii.String("aws"), &provider.AwsProviderConfig{})
		s3bucket.NewS3Bucket(stack, jsii.String("bucket"), &s3bucket.S3BucketConfig{Bucket: jsii.String("one")})
		app.Synth()
	}
	if what == "other" {
		fmt.Fprintf(os.Stderr, "%v of cdktf\n", copies())
	}
	jsii.Close()
	fmt.Println(fastsynth.Started())
}

// copies loads a package that the cache does not know, which requires cdktf, and returns how many of cdktf there are then.
func copies() (n float64) {
	var archive bytes.Buffer
	zipped := gzip.NewWriter(&archive)
	packed := tar.NewWriter(zipped)
	for name, content := range map[string]string{
		"package.json": `{"name": "other", "version": "1.0.0", "main": "index.js"}`,
		"index.js": `require("cdktf");
			exports.Probe = class Probe {};
			exports.Probe.copies = Object.keys(require.cache).filter((f) => /cdktf.lib.app\.js$/.test(f)).length;`,
		".jsii": `{"schema": "jsii/0.10.0", "name": "other", "version": "1.0.0", "jsiiVersion": "5.0.0", "types": {"other.Probe": {
			"assembly": "other", "fqn": "other.Probe", "kind": "class", "name": "Probe",
			"properties": [{"name": "copies", "static": true, "immutable": true, "type": {"primitive": "number"}}]}}}`,
	} {
		if err := packed.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			panic(err)
		}
		if _, err := packed.Write([]byte(content)); err != nil {
			panic(err)
		}
	}
	if err := errors.Join(packed.Close(), zipped.Close()); err != nil {
		panic(err)
	}
	jsiiruntime.Load("other", "1.0.0", archive.Bytes())
	jsiiruntime.StaticGet("other.Probe", "copies", &n)
	return n
}

// run is a process of the app: how jsii was started, what it said about stepping aside, and every file it wrote.
type run struct {
	started string
	aside   []string
	files   map[string][]byte
	stderr  string
}

func synthesize(t *testing.T, what, cacheHome string, env ...string) run {
	t.Helper()
	packages := os.Getenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT")
	if packages == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		packages = filepath.Join(home, "aws", "jsii", "package-cache")
	}
	out := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), app+"="+what, outdir+"="+out, "XDG_CACHE_HOME="+cacheHome,
		"JSII_RUNTIME_PACKAGE_CACHE_ROOT="+packages, fastsynth.Variable+"=")
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	r := run{started: strings.TrimSpace(stdout.String()), files: map[string][]byte{}, stderr: stderr.String()}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "steps aside") {
			r.aside = append(r.aside, line)
		}
	}
	err := filepath.WalkDir(out, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(out, file)
		if err == nil {
			r.files[name], err = os.ReadFile(file)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return r
}

// expect compares how a run was started, and what it wrote with what stock jsii wrote.
func (r run) expect(t *testing.T, started string, stock run) {
	t.Helper()
	if r.started != started {
		t.Errorf("started %s, want %s: %q", r.started, started, r.aside)
	}
	if want := map[bool]int{true: 1}[started == "aside"]; len(r.aside) != want {
		t.Errorf("says %d times that it steps aside, want %d: %q", len(r.aside), want, r.aside)
	}
	if len(r.files) != len(stock.files) || len(r.files) == 0 {
		t.Errorf("wrote %d files, stock jsii %d", len(r.files), len(stock.files))
	}
	for name, content := range stock.files {
		if !bytes.Equal(content, r.files[name]) {
			t.Errorf("%s differs from what stock jsii writes", name)
		}
	}
}

// folders are the cache's, and what is on the way to be one.
func folders(t *testing.T, cacheHome string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(cacheHome, "cdktf-fastsynth", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestThePlatformIsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("synthesizes the platform three times, once slowly")
	}
	home := t.TempDir()
	stock := synthesize(t, "platform", home, fastsynth.Variable+"=off")
	stock.expect(t, "off", stock)
	if left := folders(t, home); len(left) != 0 {
		t.Errorf("switched off it makes %v", left)
	}
	synthesize(t, "platform", home).expect(t, "cold", stock)
	synthesize(t, "platform", home).expect(t, "warm", stock)
}

func TestLife(t *testing.T) {
	if testing.Short() {
		t.Skip("starts stock jsii several times")
	}
	home := t.TempDir()
	stock := synthesize(t, "bucket", home, fastsynth.Variable+"=off")

	// Two at once on a cold cache: the cold runs, which are stock runs, are right, and one cache is left.
	var wg sync.WaitGroup
	var two [2]run
	for i := range two {
		wg.Go(func() { two[i] = synthesize(t, "bucket", home) })
	}
	wg.Wait()
	for _, r := range two {
		r.expect(t, "cold", stock)
	}
	left := folders(t, home)
	if len(left) != 1 {
		t.Fatalf("%v is left", left)
	}
	synthesize(t, "bucket", home).expect(t, "warm", stock)

	// What the user has set.
	synthesize(t, "bucket", home, "NODE_OPTIONS=--no-warnings").expect(t, "warm", stock)
	synthesize(t, "bucket", home, "SHELL=/bin/false").expect(t, "warm", stock)
	synthesize(t, "bucket", home, "JSII_VALIDATE_ASSEMBLIES=1").expect(t, "aside", stock)

	// A package that is not in the cache gets the one cdktf that is.
	other := synthesize(t, "other", home, "JSII_RUNTIME_PACKAGE_CACHE_ROOT="+t.TempDir())
	other.expect(t, "warm", stock)
	if !strings.Contains(other.stderr, "1 of cdktf") {
		t.Errorf("got %s", other.stderr)
	}

	// Damage that only the kernel sees: it reads the description itself.
	types := filepath.Join(left[0], "types.json")
	info, err := os.Stat(types)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(types, make([]byte, info.Size()), 0o644); err != nil {
		t.Fatal(err)
	}
	synthesize(t, "bucket", home).expect(t, "warm", stock)

	// It has seen to a new cache, as damage does that is seen at once.
	synthesize(t, "bucket", home).expect(t, "cold", stock)
	if err := os.Truncate(types, 1000); err != nil {
		t.Fatal(err)
	}
	synthesize(t, "bucket", home).expect(t, "cold", stock)
	synthesize(t, "bucket", home).expect(t, "warm", stock)
}

func TestACacheThatCannotBeWritten(t *testing.T) {
	if testing.Short() {
		t.Skip("starts stock jsii")
	}
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "cdktf-fastsynth"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	r := synthesize(t, "bucket", home)
	r.expect(t, "aside", r)
}
