package stacks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAMistakeIsReportedBeforeJsiiStartsAndLeavesNothing(t *testing.T) {
	c := valid(t)
	c.Environments[dev].Network.CIDR = "10.0.0.0/24"
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("PATH", "") // without node jsii could not start

	err := Synthesize(c, out)
	if err == nil || !strings.Contains(err.Error(), "10.0.0.0/24") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("%s exists", out)
	}
}
