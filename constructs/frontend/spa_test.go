package frontend

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The function runs in Node.js here, with a request as CloudFront gives it.
func TestPagesFallBackToTheApplicationAndFilesDoNot(t *testing.T) {
	want := map[string]string{
		"/":                     "/index.html",
		"/products/42":          "/index.html",
		"/orders/":              "/index.html",
		"/v1.2/about":           "/index.html",
		"/index.html":           "/index.html",
		"/assets/app-3f2a.js":   "/assets/app-3f2a.js",
		"/favicon.ico":          "/favicon.ico",
		"/.well-known/x.txt":    "/.well-known/x.txt",
		"/assets/missing.woff2": "/assets/missing.woff2",
	}
	var paths []string
	for path := range want {
		paths = append(paths, path)
	}
	input, err := json.Marshal(paths)
	if err != nil {
		t.Fatal(err)
	}
	program := spa + `
const paths = JSON.parse(require('fs').readFileSync(0));
console.log(JSON.stringify(Object.fromEntries(paths.map((uri) => [uri, handler({ request: { uri } }).uri]))));`
	node := exec.Command("node", "-e", program)
	node.Stdin = strings.NewReader(string(input))
	output, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var got map[string]string
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A policy with 'unsafe-inline' or another host would undo what the rest forbids.
func TestTheContentSecurityPolicyIsStrict(t *testing.T) {
	for _, weak := range []string{"unsafe", "*", "http:", "https:"} {
		if strings.Contains(contentSecurityPolicy, weak) {
			t.Errorf("%q allows %s", contentSecurityPolicy, weak)
		}
	}
	if !strings.HasPrefix(contentSecurityPolicy, "default-src 'self'; ") {
		t.Errorf("%q has no strict default", contentSecurityPolicy)
	}
}
