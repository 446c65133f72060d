package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExitCodeAndFile(t *testing.T) {
	alert := `{"site": [{"alerts": [{"pluginid": "10038", "alert": "No CSP", "riskcode": "RISK", "instances": [{"uri": "https://x.org/"}]}]}]}`
	for _, test := range []struct {
		name, report string
		code         int
		stderr       string
		written      bool
	}{
		{"a low risk", strings.Replace(alert, "RISK", "1", 1), 0, "", true},
		{"a medium risk", strings.Replace(alert, "RISK", "2", 1), alerts, "No CSP, at 1 addresses such as https://x.org/", true},
		{"nothing was scanned", `{"site": []}`, failed, "scanned no site", false},
	} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "report.json"), filepath.Join(dir, "zap.sarif")
		if err := os.WriteFile(from, []byte(test.report), 0o644); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		if code := run([]string{from, to}, &stderr); code != test.code {
			t.Errorf("%s: exit code %d, want %d", test.name, code, test.code)
		}
		if !strings.Contains(stderr.String(), test.stderr) || (test.stderr == "") != (stderr.Len() == 0) {
			t.Errorf("%s: stderr %q, want %q in it", test.name, &stderr, test.stderr)
		}
		if _, err := os.Stat(to); (err == nil) != test.written {
			t.Errorf("%s: the file: %v", test.name, err)
		}
	}
	var stderr bytes.Buffer
	if code := run(nil, &stderr); code != failed || !strings.Contains(stderr.String(), "usage:") {
		t.Errorf("without arguments: exit code %d, %q", code, &stderr)
	}
}
