package release

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOldReleasesOfThePageExpire(t *testing.T) {
	names := []string{"index.html", "assets/first.js", "assets/shared.js", "assets/lost.js", "releases/v9.0.0/assets/half.js"}
	uploaded := map[string]time.Time{}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range keepReleases + 3 {
		version := fmt.Sprintf("v1.0.%d", i)
		uploaded[version] = day.AddDate(0, 0, i)
		names = append(names, "releases/"+version+"/index.html", "releases/"+version+"/assets/shared.js")
	}
	names = append(names, "releases/v1.0.0/assets/first.js", "releases/v1.0.1/assets/first.js")

	// v1.0.0 is the oldest and is served; v1.0.1 and v1.0.2 are older than the newest others that are kept.
	want := []string{
		"assets/lost.js", "releases/v1.0.1/assets/first.js", "releases/v1.0.1/assets/shared.js", "releases/v1.0.1/index.html",
		"releases/v1.0.2/assets/shared.js", "releases/v1.0.2/index.html",
	}
	if diff := cmp.Diff(want, expired(names, uploaded, "v1.0.0")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestIndexComesLast(t *testing.T) {
	got := indexLast(slices.Values([]string{"index.html", "robots.txt", "assets/index.js", "favicon.svg"}))
	if diff := cmp.Diff([]string{"assets/index.js", "favicon.svg", "robots.txt", "index.html"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOnlyAFolderWithAPageIsABuild(t *testing.T) {
	folder := t.TempDir()
	for _, none := range []string{"", folder, filepath.Join(folder, "missing")} {
		if files, err := read(none); files != nil || err != nil {
			t.Errorf("%q holds %v, %v", none, files, err)
		}
	}
	for _, name := range []string{"index.html", "assets/a.js"} {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := read(folder)
	if err != nil || string(files["assets/a.js"]) != "assets/a.js" || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
	whole := contentOf(files)
	files["assets/a.js"] = []byte("changed")
	if contentOf(files) == whole {
		t.Error("a changed file is not noticed")
	}
}

func TestThePageHasNoLatestVersion(t *testing.T) {
	for version, code := range map[string]int{"v1.2.3": ExitServes, "commit-0123abc": ExitServes, "latest": ExitRefused, "1.2.3": ExitRefused} {
		if got := ExitCode(checkSiteVersion(version)); got != code {
			t.Errorf("%s: exit code %d, want %d", version, got, code)
		}
	}
}
