package secret

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestThePackageHoldsTheSourceAndIsTheSameEveryTime(t *testing.T) {
	packed := archive()
	if !bytes.Equal(packed, archive()) {
		t.Error("it differs from one time to the next")
	}
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 1 || r.File[0].Name != "rotate.py" || r.File[0].ModifiedDate != 0 {
		t.Fatalf("it holds %d files, the first %+v", len(r.File), r.File[0].FileHeader)
	}
	file, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(file)
	if err != nil || !bytes.Equal(got, source) {
		t.Errorf("rotate.py in it is not the source: %v", err)
	}
}

func TestAFileIsReplacedWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "rotate.zip")
	for _, content := range []string{"first", "2nd"} {
		if err := place(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%q, %v", got, err)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// The function is Python, and so are its tests.
func TestRotation(t *testing.T) {
	out, err := exec.Command("python3", "-B", "-m", "unittest", "-v").CombinedOutput()
	if err != nil {
		t.Errorf("%v (Python 3.11 or newer has to be on PATH)\n%s", err, out)
	}
}
