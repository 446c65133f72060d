package fastsynth

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whole captures a cache of one package, as capture.js does.
func whole(t *testing.T) (c cache, captured string) {
	t.Helper()
	c = cache{root: filepath.Join(t.TempDir(), "cache"), key: "key"}
	return c, capture(t, c)
}

func capture(t *testing.T, c cache) string {
	t.Helper()
	dir, err := c.prepare()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), "package")
	write(t, filepath.Join(home, ".jsii-runtime-package-cache"), "")
	for name, content := range map[string]string{
		"program.js": "program", "index.json": "{}", "types.json": strings.Repeat(" ", big),
		"manifest.json": `{"packages": [{"name": "p", "version": "1.0.0", "dir": "` + home + `"}]}`,
	} {
		write(t, filepath.Join(dir, name), content)
	}
	return dir
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// entries are the names in the cache's root.
func entries(t *testing.T, c cache) []string {
	t.Helper()
	found, err := os.ReadDir(c.root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range found {
		names = append(names, e.Name())
	}
	return names
}

func TestWhatIsKeptIsFound(t *testing.T) {
	c, captured := whole(t)
	if _, ok := c.open(); ok {
		t.Error("there is something in an empty cache")
	}
	if err := c.keep(captured); err != nil {
		t.Fatal(err)
	}
	packages, ok := c.open()
	if !ok || len(packages) != 1 || packages[0].Name != "p" || packages[0].Version != "1.0.0" {
		t.Errorf("got %v, %v", packages, ok)
	}
}

func TestWhatIsDamagedIsMadeAnew(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"the kernel is cut short":   func(dir string) error { return os.Truncate(filepath.Join(dir, "program.js"), 3) },
		"the types are cut short":   func(dir string) error { return os.Truncate(filepath.Join(dir, "types.json"), big+1) },
		"the index is another":      func(dir string) error { return os.WriteFile(filepath.Join(dir, "index.json"), []byte("[]"), 0o644) },
		"a file is missing":         func(dir string) error { return os.Remove(filepath.Join(dir, "kernel.js")) },
		"the manifest is missing":   func(dir string) error { return os.Remove(filepath.Join(dir, "manifest.json")) },
		"the manifest is cut short": func(dir string) error { return os.Truncate(filepath.Join(dir, "manifest.json"), 20) },
		"jsii's package cache is not": func(dir string) error {
			raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
			if err != nil {
				return err
			}
			_, home, _ := strings.Cut(string(raw), `"dir":"`)
			home, _, _ = strings.Cut(home, `"`)
			return os.RemoveAll(home)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, captured := whole(t)
			if err := c.keep(captured); err != nil {
				t.Fatal(err)
			}
			if err := damage(c.dir()); err != nil {
				t.Fatal(err)
			}
			if _, ok := c.open(); ok {
				t.Error("it is used")
			}
			if left := entries(t, c); len(left) != 0 {
				t.Errorf("%v is left", left)
			}
			if err := c.keep(capture(t, c)); err != nil {
				t.Fatal(err)
			}
			if _, ok := c.open(); !ok {
				t.Error("it is not made anew")
			}
		})
	}
}

func TestOfTwoAtOnceTheFirstStays(t *testing.T) {
	c, one := whole(t)
	two := capture(t, c)
	for _, captured := range []string{one, two} {
		if err := c.keep(captured); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.open(); !ok {
			t.Error("no cache")
		}
	}
}

func TestWhatACrashLeavesIsNeverUsedAndGoesAway(t *testing.T) {
	c, captured := whole(t)
	if _, ok := c.open(); ok {
		t.Error("a folder that is not whole is used")
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(captured, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(captured); !os.IsNotExist(err) {
		t.Errorf("%s is left", captured)
	}
}

func TestAFolderThatIsNotUsedForLongGoesAway(t *testing.T) {
	c, captured := whole(t)
	if err := c.keep(captured); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-unused - time.Hour)
	if err := os.Chtimes(c.dir(), long, long); err != nil {
		t.Fatal(err)
	}
	other := cache{root: c.root, key: "other"}
	if _, err := other.prepare(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.dir()); !os.IsNotExist(err) {
		t.Errorf("%s is left", c.dir())
	}
}

// buildInfo pretends that the program was built from modules.
func buildInfo(t *testing.T, deps func(path string) *debug.Module) {
	t.Helper()
	real := readBuildInfo
	t.Cleanup(func() { readBuildInfo = real })
	info := &debug.BuildInfo{}
	for _, path := range modules {
		if d := deps(path); d != nil {
			info.Deps = append(info.Deps, d)
		}
	}
	readBuildInfo = func() (*debug.BuildInfo, bool) { return info, true }
}

func TestTheKeyIsTheContent(t *testing.T) {
	keys := map[string]string{}
	key := func(what string) {
		t.Helper()
		k, err := contentKey()
		if err != nil {
			t.Fatal(err)
		}
		for other, ok := range keys {
			if ok == k {
				t.Errorf("%s has the key of %s", what, other)
			}
		}
		keys[what] = k
	}
	key("this program")
	for _, changed := range append([]string{""}, modules...) {
		buildInfo(t, func(path string) *debug.Module {
			m := &debug.Module{Path: path, Version: "v1.0.0", Sum: "h1:one"}
			if path == changed {
				m.Sum = "h1:two"
			}
			return m
		})
		key("other " + changed)
	}
	script := kernelJS
	t.Cleanup(func() { kernelJS = script })
	kernelJS = append([]byte("// "), script...)
	key("another kernel.js")
}

func TestContentWithoutAChecksumIsNotCached(t *testing.T) {
	for name, deps := range map[string]func(path string) *debug.Module{
		"vendor folder": func(path string) *debug.Module { return &debug.Module{Path: path, Version: "v1.0.0"} },
		"replaced by a folder": func(path string) *debug.Module {
			return &debug.Module{Path: path, Version: "v1.0.0", Sum: "h1:one", Replace: &debug.Module{Path: "../mine"}}
		},
		"another major version": func(string) *debug.Module { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			buildInfo(t, deps)
			if key, err := contentKey(); err == nil || !strings.Contains(err.Error(), "checksum") {
				t.Errorf("got %q, %v", key, err)
			}
		})
	}
}

func TestChecksumsOfATest(t *testing.T) {
	const mod, sum = "require (\n\tm/a v1.0.0\n\tm/b v1.0.0 // indirect\n)\nrequire m/c v1.0.0\n", "m/a v1.0.0/go.mod h1:x\nm/a v1.0.0 h1:a\nm/b v1.0.0 h1:b\nm/c v1.0.0 h1:c\nm/c v1.1.0 h1:d\n"
	for name, c := range map[string]struct {
		mod  string
		want map[string]string
	}{
		"as they are": {mod, map[string]string{"m/a": "h1:a", "m/b": "h1:b", "m/c": "h1:c"}},
		"replaced":    {mod + "replace m/a => ../a\nreplace (\n\tm/b v1.0.0 => ../b\n)\n", map[string]string{"m/c": "h1:c"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), c.mod)
			write(t, filepath.Join(dir, "go.sum"), sum)
			write(t, filepath.Join(dir, "a", "b", "c.go"), "")
			got, err := sumFile(filepath.Join(dir, "a", "b"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			write(t, filepath.Join(dir, "vendor", "modules.txt"), "")
			if got, err := sumFile(dir); err == nil {
				t.Errorf("with a vendor folder: %v", got)
			}
		})
	}
}

// kernel is what capture.js looks for in jsii's kernel, and a kernel that loads one package.
const kernel = `
const req = {name: 'p', version: '1.0.0'}, packageDir = __dirname + '/../p', assmSpec = require(packageDir + '/.jsii.json');
const closure = require(packageDir);
class Assembly {}
const originalUmask = process.umask(18);
const assm = new Assembly(assmSpec, closure);
if (false) { __classPrivateFieldGet(this, _Kernel_instances, "m", _Kernel_addAssembly).call(this, assm) }
const io = {readFD: 3, writeFD: 3};
const typeRef = 1, assert = () => {};
assert(typeRef != null, ` + "`Kernel error: expected type information, got ${typeRef}`" + `);
`

func TestCapture(t *testing.T) {
	spec := `{"schema": "jsii/0.10.0", "name": "p", "version": "1.0.0", "types": {"p.one.One": {"docs": {}}}}`
	index := "exports.one = require(\"./one\");\n"
	for name, c := range map[string]struct{ kernel, spec, index, marker, want string }{
		"as expected":         {kernel, spec, index, ".jsii-runtime-package-cache", ""},
		"another kernel":      {strings.Replace(kernel, "writeFD: 3", "writeFD: 5", 1), spec, index, ".jsii-runtime-package-cache", "kernel is not the one known"},
		"another schema":      {kernel, strings.Replace(spec, "0.10.0", "1.0.0", 1), index, ".jsii-runtime-package-cache", "describes itself"},
		"another version":     {kernel, strings.Replace(spec, "1.0.0", "2.0.0", 1), index, ".jsii-runtime-package-cache", "describes itself"},
		"types of others":     {kernel, strings.Replace(spec, "p.one", "q.one", 1), index, ".jsii-runtime-package-cache", "describes q.one.One"},
		"an index of its own": {kernel, spec, "for (const m of ['one']) exports[m] = require('./' + m);\n", ".jsii-runtime-package-cache", "not a list of modules"},
		"no package cache":    {kernel, spec, index, "other", "package cache is off"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			target := filepath.Join(dir, "target")
			write(t, filepath.Join(target, "capture.js"), string(captureJS))
			program := filepath.Join(dir, "lib", "program.js")
			write(t, program, c.kernel)
			write(t, filepath.Join(dir, "p", ".jsii.json"), c.spec)
			write(t, filepath.Join(dir, "p", c.marker), "")
			write(t, filepath.Join(dir, "p", "package.json"), `{"main": "lib/index.js"}`)
			write(t, filepath.Join(dir, "p", "lib", "index.js"), c.index)
			write(t, filepath.Join(dir, "p", "lib", "one", "index.js"), "exports.One = 1;")

			cmd := exec.Command("node", program)
			cmd.Env = append(os.Environ(), "NODE_OPTIONS=--require "+filepath.Join(target, "capture.js"),
				"FAST_SYNTH_CAPTURE="+target, "FAST_SYNTH_PROVIDER=p")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("the run is disturbed: %v\n%s", err, out)
			}
			write(t, filepath.Join(target, "kernel.js"), string(kernelJS))
			err := cache{root: dir, key: "key"}.keep(target)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestPathsWithSpacesAndQuotes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `it's "my" \folder`)
	write(t, filepath.Join(dir, "hello.js"), "console.log('hello')")
	sh := exec.Command("/bin/sh", "-c", "exec node "+quote(filepath.Join(dir, "hello.js")))
	preload := exec.Command("node", "-e", "0")
	preload.Env = append(os.Environ(), `NODE_OPTIONS=--require "`+escape(filepath.Join(dir, "hello.js"))+`"`)
	for _, cmd := range []*exec.Cmd{sh, preload} {
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "hello") {
			t.Errorf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
}
