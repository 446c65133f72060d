package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	loggedOut := func(context.Context, []byte, ...string) ([]byte, error) {
		return nil, errors.New("please run: gh auth login")
	}
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-help"}, 0, "-reviewers USERS"},
		{[]string{"-reviewer", "alice"}, 2, "flag provided but not defined"},
		{[]string{"alice"}, 2, `["alice"] is no flag`},
		{[]string{"-reviewers", "alice"}, 1, "repository: repository example-org/shop: please run: gh auth login"},
	} {
		var out, said bytes.Buffer
		if code := run(t.Context(), test.args, loggedOut, &out, &said); code != test.code || !strings.Contains(said.String(), test.says) {
			t.Errorf("%q: exit code %d, want %d with %q in\n%s", test.args, code, test.code, test.says, said.String())
		}
	}
}
