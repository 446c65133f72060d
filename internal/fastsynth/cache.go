package fastsynth

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

var (
	//go:embed capture.js
	captureJS []byte
	//go:embed kernel.js
	kernelJS []byte
)

// modules are those whose content the cache is made from: the kernel's, and those with an npm package inside.
var modules = []string{
	"github.com/aws/jsii-runtime-go",
	"github.com/aws/constructs-go/constructs/v10",
	"github.com/hashicorp/terraform-cdk-go/cdktf",
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19",
}

// pkg is an npm package that the kernel has loaded, with the folder in jsii's package cache.
type pkg struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Dir     string `json:"dir"`
}

// manifest says what is in a folder of the cache. capture.js writes the packages, and keep the files.
type manifest struct {
	Packages []pkg `json:"packages"`
	// Files are the files' checksums, or their sizes where they are big.
	Files map[string]string `json:"files"`
}

// cache is the folder root/key.
type cache struct{ root, key string }

// unused is how long a folder is kept that no run has opened, as jsii keeps packages.
const unused = 30 * 24 * time.Hour

// big is the size from which a file is told by its size, as reading it would cost what the cache is to save: types.json.
// Where a piece of it is no JSON kernel.js reads the real description, and the next run makes a new cache.
const big = 4 << 20

// readBuildInfo is replaced in tests.
var readBuildInfo = debug.ReadBuildInfo

// contentKey is made of what the cache is made of: these modules' content, by the checksums that the go command verifies,
// and the scripts.
func contentKey() (string, error) {
	sums, err := checksums()
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, m := range modules {
		if sums[m] == "" {
			return "", fmt.Errorf("the program does not hold %s's checksum: build it from the module cache, without a vendor folder or a replacement by a folder", m)
		}
		fmt.Fprintln(hash, m, sums[m])
	}
	hash.Write(captureJS)
	hash.Write(kernelJS)
	return hex.EncodeToString(hash.Sum(nil))[:32], nil
}

// checksums are those of the modules that the program was built from. The go command writes them into programs, and for
// tests it does not: https://go.dev/issue/33976.
func checksums() (map[string]string, error) {
	info, ok := readBuildInfo()
	if !ok {
		return nil, errors.New("the program does not say what it was built from: build it with the go command, in module mode")
	}
	if len(info.Deps) == 0 && strings.HasSuffix(info.Path, ".test") {
		wd, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		return sumFile(wd)
	}
	sums := map[string]string{}
	for _, d := range info.Deps {
		if d.Replace != nil {
			sums[d.Path] = d.Replace.Sum
			continue
		}
		sums[d.Path] = d.Sum
	}
	return sums, nil
}

// sumFile reads them from go.mod and go.sum, for a test that `go test` has built just now and runs in its package's folder.
// Where these files alone do not say what it was built from, it finds none.
func sumFile(dir string) (map[string]string, error) {
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		return sumFile(filepath.Dir(dir))
	}
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "vendor")); err == nil || os.Getenv("GOWORK") != "" || os.Getenv("GOFLAGS") != "" {
		return nil, errors.New("a vendor folder, GOWORK or GOFLAGS may change what tests are built from")
	}
	sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) < 2 || strings.Contains(line, "=>") {
			continue
		}
		_, rest, found := strings.Cut(string(sum), f[0]+" "+f[1]+" ")
		if found {
			sums[f[0]] = strings.Fields(rest)[0]
		}
	}
	for line := range strings.Lines(string(mod)) {
		if strings.Contains(line, "=>") {
			delete(sums, strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "replace "))[0])
		}
	}
	return sums, nil
}

func (c cache) dir() string { return filepath.Join(c.root, c.key) }

// open returns the cached packages if everything is there. What is damaged, or not whole, is discarded.
func (c cache) open() ([]pkg, bool) {
	var m manifest
	raw, err := os.ReadFile(filepath.Join(c.dir(), "manifest.json"))
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err == nil {
		err = m.check(c.dir())
	}
	if err != nil {
		c.discard()
		return nil, false
	}
	now := time.Now()
	// Best effort, as it is in jsii: a folder that cannot be written is not pruned by us either.
	_ = os.Chtimes(c.dir(), now, now)
	return m.Packages, true
}

// check compares the files with what the manifest says, and sees that jsii's package cache still has the packages.
func (m manifest) check(dir string) error {
	if len(m.Packages) == 0 || len(m.Files) == 0 {
		return errors.New("the manifest is empty")
	}
	for name, want := range m.Files {
		got, err := fingerprint(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s is damaged", name)
		}
	}
	now := time.Now()
	for _, p := range m.Packages {
		marker := filepath.Join(p.Dir, ".jsii-runtime-package-cache")
		if _, err := os.Stat(marker); err != nil {
			return err
		}
		// jsii deletes packages that have not been used for long, and this is how it notes the use.
		_ = os.Chtimes(marker, now, now)
	}
	return nil
}

// fingerprint is a file's checksum, or its size if it is big.
func fingerprint(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Size() >= big {
		return fmt.Sprintf("%d bytes", info.Size()), nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

// discard takes the folder away. It is moved aside first: a process that is about to open it finds all of it or nothing.
func (c cache) discard() {
	aside := fmt.Sprintf("%s.%d.old", c.dir(), os.Getpid())
	if os.Rename(c.dir(), aside) == nil {
		os.RemoveAll(aside)
	}
}

// prepare makes a folder to capture into, and takes away those which no run has opened for long or a crash has left.
func (c cache) prepare() (string, error) {
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(c.root)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		keep := unused
		if strings.Contains(e.Name(), ".") { // not whole: somebody is at it, or was
			keep = time.Hour
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > keep {
			os.RemoveAll(filepath.Join(c.root, e.Name()))
		}
	}
	dir, err := os.MkdirTemp(c.root, c.key+".*.new")
	if err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{"capture.js": captureJS, "kernel.js": kernelJS} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			os.RemoveAll(dir)
			return "", err
		}
	}
	return dir, nil
}

// keep makes the captured folder the cache, whole and at once. If another process has been faster its folder stays.
func (c cache) keep(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		if why, err := os.ReadFile(filepath.Join(dir, "aside")); err == nil {
			return errors.New(strings.TrimSpace(string(why)))
		}
		return errors.New("nothing was captured: Node.js has not loaded capture.js")
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("capture.js wrote no manifest: %w", err)
	}
	m.Files = map[string]string{}
	for _, name := range []string{"kernel.js", "program.js", "index.json", "types.json"} {
		if m.Files[name], err = fingerprint(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if raw, err = json.Marshal(m); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), raw, 0o644); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := os.Rename(dir, c.dir()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
