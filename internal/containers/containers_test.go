package containers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAMachineWithoutAnEngineSaysWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		programs []string
		want     string
	}{
		"no client": {nil, "the client docker is not on PATH"},
		"no engine": {[]string{"docker"}, "no Docker engine answers, and podman is not installed"},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			for _, program := range test.programs {
				// It answers nothing, as Docker's client does where no engine runs.
				if err := os.WriteFile(filepath.Join(path, program), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", path)
			_, err := Start(t.Context(), t.TempDir(), 4566)
			if none := new(UnavailableError); !errors.As(err, &none) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want an UnavailableError that says %q", err, test.want)
			}
		})
	}
}

// Two emulators of one machine share an engine, and must not find each other's containers.
func TestEmulatorsOfOneMachineAreApart(t *testing.T) {
	a, b := named("", 4566), named("", 4567)
	if a.Network == b.Network || a.volumes == b.volumes || strings.HasPrefix(b.volumes, a.volumes) {
		t.Errorf("%+v and %+v", a, b)
	}
}
