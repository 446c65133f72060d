package release_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two builds of a page and back: index.html switches, what a page that is open needs stays, and caches are told the truth.
func TestThePageIsReleasedAndRolledBack(t *testing.T) {
	w := begin(t)
	w.deploy(t, 3, []string{"rollback", "dev", "web"}, "no release yet")
	w.deploy(t, 3, []string{"deploy", "dev", "web", "latest"}, "no version")
	w.deploy(t, 3, []string{"deploy", "-dir", t.TempDir(), "dev", "web", "v1.0.0"}, "no build")

	first := page(t, "first")
	w.deploy(t, 0, []string{"deploy", "-dir", first, "dev", "web", "v1.0.0"}, "the page serves v1.0.0")
	w.shows(t, "first")
	w.agrees(t)
	w.deploy(t, 0, []string{"deploy", "-dir", page(t, "second"), "dev", "web", "v2.0.0"}, "the page serves v2.0.0")
	w.shows(t, "second")
	if response, body := w.get(t, "/assets/first.js"); response.StatusCode != http.StatusOK || body != "first" {
		t.Errorf("a page of the release before does not find its assets: %s", response.Status)
	}
	w.agrees(t)

	w.deploy(t, 0, []string{"rollback", "dev", "web"}, "the page serves v1.0.0")
	w.shows(t, "first")
	w.agrees(t)
	// No build is needed for a release that is there; another build under its name is refused.
	w.deploy(t, 0, []string{"deploy", "-dir", t.TempDir(), "dev", "web", "v2.0.0"}, "uploaded already")
	w.shows(t, "second")
	w.deploy(t, 3, []string{"deploy", "-dir", page(t, "third"), "dev", "web", "v2.0.0"}, "never changed")
	w.shows(t, "second")
	w.deploy(t, 3, []string{"rollback", "dev", "web", "v1.5.0"}, "not there")
	w.deploy(t, 0, []string{"rollback", "dev", "web", "v1.0.0"})
	w.shows(t, "first")
	w.deploy(t, 0, []string{"history", "dev", "web"})
	w.deploy(t, 0, []string{"status", "dev"})
}

// page is a build that shows a text.
func page(t *testing.T, text string) string {
	t.Helper()
	folder := t.TempDir()
	must(t, os.Mkdir(filepath.Join(folder, "assets"), 0o755))
	for name, content := range map[string]string{
		"index.html": `<script type="module" src="/assets/` + text + `.js"></script>`, "assets/" + text + ".js": text, "favicon.svg": "<svg/>",
	} {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644))
	}
	return folder
}

// shows fails unless the page of a text is served, below every path of the application, with the right headers.
func (w *world) shows(t *testing.T, text string) {
	t.Helper()
	for path, want := range map[string]struct{ content, kind, cached string }{
		"/":                       {"/assets/" + text + ".js", "text/html", "no-cache"},
		"/orders/42":              {"/assets/" + text + ".js", "text/html", "no-cache"},
		"/favicon.svg":            {"<svg/>", "image/svg+xml", "no-cache"},
		"/assets/" + text + ".js": {text, "text/javascript", "public, max-age=31536000, immutable"},
	} {
		response, body := w.get(t, path)
		kind, cached := response.Header.Get("Content-Type"), response.Header.Get("Cache-Control")
		if !strings.Contains(body, want.content) || !strings.HasPrefix(kind, want.kind) || cached != want.cached {
			t.Errorf("%s: %s, %s, %s: %s", path, response.Status, kind, cached, body)
		}
	}
}
