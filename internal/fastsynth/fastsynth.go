// Package fastsynth makes synthesis fast. It changes how jsii's kernel is started and what it loads, never what it does: the
// output is the same, byte for byte.
//
// Stock jsii starts two Node.js processes and lets the second one read the AWS provider's type description, 120 MB of which
// an app uses one percent, and load its 2,000 modules, of which an app uses fifty. Both are cached in a form that is read by
// the piece:
//
//	                    cold: a stock run, watched            warm: every other run
//
//	app, fastsynth      sets NODE_OPTIONS                     sets JSII_RUNTIME
//	      |                   |                                     |
//	jsii-runtime-go     node bin/jsii-runtime.js (pipes)            |
//	      |                   |                                     |
//	kernel              node lib/program.js                   node kernel.js
//	                     + capture.js  -- writes -->  cache    -- reads --> program.js  the kernel, two lines changed
//	                                                                        types.json, index.json  by submodule
//	                                                                        node_modules  links to jsii's package cache
//	                                                                        compile  Node's compile cache
//
// The cache is in the user's cache folder, under a key made of the checksums that go.sum holds of the modules whose
// archives jsii loads: another version, or other content, is another folder. A folder appears there whole, by a rename.
//
// Stock jsii warns of a Node.js past its end of life in the process that pipes: with a warm cache nobody does.
//
// It steps aside, with one line on stderr, when something is not as expected. The run is then a stock run: slow, and right.
package fastsynth

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/aws/jsii-runtime-go"
	jsiiruntime "github.com/aws/jsii-runtime-go/runtime"
	awsjsii "github.com/cdktf/cdktf-provider-aws-go/aws/v19/jsii"
)

// Variable switches this package off: FAST_SYNTH=off.
const Variable = "FAST_SYNTH"

// provider is the npm package whose type description and modules are read by the piece.
const provider = "@cdktf/provider-aws"

// nodeOptions is what jsii sets where the user has set none.
const nodeOptions = "--max-old-space-size=4069"

// Enable starts jsii, fast where that is possible. Call it before anything else of jsii or cdktf; jsii.Close ends it as ever.
// Only the first call does something.
//
// What the user has set holds: with JSII_RUNTIME, JSII_RUNTIME_PACKAGE_CACHE or JSII_VALIDATE_ASSEMBLIES it steps aside, as
// each asks for what it would leave out; JSII_NODE and NODE_OPTIONS are used.
func Enable() {
	once.Do(func() {
		var err error
		if started, err = enable(); err != nil {
			started = "aside"
			fmt.Fprintf(os.Stderr, "fast synthesis steps aside, this run is slow: %v (%s=off silences this)\n", err, Variable)
		}
	})
}

var (
	once sync.Once
	// started says how, for the tests: off, warm, cold or aside.
	started string
)

func enable() (string, error) {
	if strings.EqualFold(os.Getenv(Variable), "off") {
		return "off", nil
	}
	if runtime.GOOS == "windows" {
		return "", errors.New("it needs a POSIX shell and symbolic links, which Windows may not have")
	}
	for _, name := range []string{"JSII_RUNTIME", "JSII_RUNTIME_PACKAGE_CACHE", "JSII_VALIDATE_ASSEMBLIES"} {
		if v := os.Getenv(name); v != "" && v != "enabled" {
			return "", fmt.Errorf("%s is set", name)
		}
	}
	node := os.Getenv("JSII_NODE")
	if node == "" {
		node = "node"
	}
	node, err := exec.LookPath(node)
	if err != nil {
		return "", err
	}
	key, err := contentKey()
	if err != nil {
		return "", err
	}
	root, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: %w", err)
	}
	c := cache{root: filepath.Join(root, "cdktf-fastsynth"), key: key}
	if packages, ok := c.open(); ok {
		if err := warm(node, c, packages); err != nil {
			c.discard() // the next run makes a new one
			return "", err
		}
		return "warm", nil
	}
	return "cold", cold(c)
}

// warm starts the cached kernel and lets it load the packages.
//
// jsii-runtime-go remembers what it has loaded by name and version. Loading the packages here, with an empty archive in
// place of the real one, keeps it from writing 34 MB to a file which nobody would read. The cached kernel does not look at
// the archive; its content is in the key.
func warm(node string, c cache, packages []pkg) error {
	// By way of a shell, as jsii has it: sh, as the user's own may read a profile, or be none that knows redirections.
	// Descriptors 3 and 4 carry requests and answers, as 0 and 1 would be inherited by what the kernel starts.
	command := fmt.Sprintf("exec %s --preserve-symlinks %s 3<&0 4>&1 0</dev/null 1>&2", quote(node), quote(filepath.Join(c.dir(), "kernel.js")))
	return start(map[string]string{"JSII_RUNTIME": command, "SHELL": "/bin/sh"}, func() {
		for _, p := range packages {
			jsiiruntime.Load(p.Name, p.Version, nil)
		}
	})
}

// cold starts the stock kernel, lets it load the packages, and keeps what capture.js made of them.
func cold(c cache) error {
	dir, err := c.prepare()
	if err != nil {
		return fmt.Errorf("the cache cannot be written: %w", err)
	}
	defer os.RemoveAll(dir)

	options, set := os.LookupEnv("NODE_OPTIONS")
	if !set {
		options = nodeOptions
	}
	err = start(map[string]string{
		"NODE_OPTIONS":        fmt.Sprintf(`%s --require "%s"`, options, escape(filepath.Join(dir, "capture.js"))),
		"FAST_SYNTH_CAPTURE":  dir,
		"FAST_SYNTH_PROVIDER": provider,
	}, awsjsii.Initialize)
	if err != nil {
		return err
	}
	return c.keep(dir)
}

// start runs load, which starts jsii's process, with changes to the environment that only the process sees. If it fails
// nothing of jsii runs, so that it starts as stock when it is next used.
func start(env map[string]string, load func()) (err error) {
	// The bindings' package initialization has prepared a process, not started it, with the environment as it was.
	jsii.Close()
	for name, value := range env {
		old, set := os.LookupEnv(name)
		if err := os.Setenv(name, value); err != nil {
			return err
		}
		defer func() {
			if set {
				os.Setenv(name, old)
			} else {
				os.Unsetenv(name)
			}
		}()
	}
	defer func() {
		if r := recover(); r != nil {
			jsii.Close()
			err = fmt.Errorf("the kernel does not start: %v", r)
		}
	}()
	load()
	return nil
}

// quote makes one word of the shell.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// escape makes the inside of a quoted word of NODE_OPTIONS.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}
