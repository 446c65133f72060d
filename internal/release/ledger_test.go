package release

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestLabelsAreDescriptionsAndBack(t *testing.T) {
	for description, want := range map[string]Label{
		`{"version":"v1.2.3","commit":"9ab01cd","note":"a < b"}`: {Version: "v1.2.3", Commit: "9ab01cd", Note: "a < b"},
		`{"version":"v1","rolledBack":"x@sha256:1"}`:             {Version: "v1", RolledBack: "x@sha256:1"},
		`{}`: {},
	} {
		got := ParseLabel(description)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", description, diff)
		}
		if got.String() != description {
			t.Errorf("%s becomes %s", description, got)
		}
	}
	if got := ParseLabel("The image orders runs; written by releases"); got.Note == "" || got.Version != "" {
		t.Errorf("what Terraform wrote is %+v", got)
	}
}

func TestLongNotesFitIntoADescription(t *testing.T) {
	for _, note := range []string{strings.Repeat("x", 5000), strings.Repeat("ä\"", 3000)} {
		l := Label{Version: "v1.2.3", Commit: strings.Repeat("c", 40), Note: note, RolledBack: image("b")}
		description := l.String()
		if len(description) > longestDescription || !utf8.ValidString(description) {
			t.Errorf("%d bytes: %s", len(description), description)
		}
		if back := ParseLabel(description); back.RolledBack != l.RolledBack || !strings.HasSuffix(back.Note, "…") || len(back.Note) < 200 {
			t.Errorf("what is left is %+v", back)
		}
	}
}

// ledgerOf writes a ledger: "b" is a release, "a<b" one that left b, "-" no image.
func ledgerOf(text string) []Entry {
	var all []Entry
	for i, word := range strings.Fields(text) {
		value, left, _ := strings.Cut(word, "<")
		e := Entry{Number: int64(i + 1), Value: image(value), Label: Label{Version: "v" + value, Commit: strings.Repeat(value, 40)}}
		if value == "-" {
			e.Value, e.Version = repositoryAddress+":unreleased", ""
		}
		if left != "" {
			e.RolledBack = image(left)
		}
		all = append(all, e)
	}
	return all
}

func TestARollbackGoesToTheNewestThatWasNotLeft(t *testing.T) {
	for ledger, want := range map[string]string{
		"- a b":             "a",
		"- a b c":           "b",
		"- a b a<b":         "",  // back already, and there is nothing before
		"- a b c b<c":       "a", // again: one further
		"- a b c b<c a<b":   "",
		"- a b a<b c":       "a", // b failed
		"- a b a<b b c":     "b", // and was released anew
		"- a a b b":         "a",
		"- a":               "",
		"-":                 "",
		"- a -<a b":         "",
		"- a b c b<c d":     "b",
		"- a b c b<c d b<d": "a",
	} {
		got, err := destination(ledgerOf(ledger), last(ledgerOf(ledger)).Value, "")
		if want == "" {
			if ExitCode(err) != ExitRefused {
				t.Errorf("%s: goes to %s, want none", ledger, got.name())
			}
			continue
		}
		if err != nil || got.Value != image(want) {
			t.Errorf("%s: goes to %s, want %s: %v", ledger, got.name(), want, err)
		}
	}
}

func TestARollbackToANamedVersion(t *testing.T) {
	history := ledgerOf("- a b c")
	history[1].Version, history[2].Version = "v1.0.0", "v1.1.0"
	for version, want := range map[string]string{
		"v1.0.0": image("a"), "commit-bbbbbbb": image("b"), "v9.9.9": "", "commit-0000000": "",
	} {
		got, err := destination(history, image("c"), version)
		if err != nil || got.Value != want {
			t.Errorf("%s: goes to %q, want %q: %v", version, got.Value, want, err)
		}
	}
	if _, err := destination(history, image("c"), "1.0"); ExitCode(err) != ExitRefused {
		t.Errorf("got %v", err)
	}
}

func TestARollbackThatDidNotReachTheServiceIsDoneAgain(t *testing.T) {
	got, err := destination(ledgerOf("- a b c b<c"), image("c"), "")
	if err != nil || got.Value != image("b") {
		t.Errorf("goes to %s: %v", got.name(), err)
	}
}
