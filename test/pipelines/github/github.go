// Package github keeps what GitHub keeps of a repository, on disk, for workflows that run without GitHub: pull requests,
// runs with their artifacts, issues, attestations, findings of code scanning.
//
//	tests -> Store <- gh and the actions of package standin, which the workflows call
//
// It is a stand-in: it knows what the workflows use, and refuses everything else.
package github

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// The repository's address and GitHub's numbers for it and its owner, as the platform's configuration has them.
const (
	Owner      = "example-org"
	Name       = "shop"
	Repository = Owner + "/" + Name
)

// State is all that is kept, but the artifacts and logs of runs.
type State struct {
	Pulls        []Pull        `json:"pulls"`
	Runs         []Run         `json:"runs"`
	Issues       []Issue       `json:"issues"`
	Attestations []Attestation `json:"attestations"`
	// Findings are the SARIF files that code scanning was sent, in order.
	Findings []Findings `json:"findings"`
}

// Pull is a pull request.
type Pull struct {
	Number int `json:"number"`
	// Head is its newest commit, Merge that on main once it is merged.
	Head, HeadRef, Merge string
	Labels               []string
	Comments             []string
}

// Run is one of a workflow.
type Run struct {
	ID       int    `json:"id"`
	Workflow string `json:"workflow"` // the file's name
	Event    string `json:"event"`
	// Branch is the branch or the tag, without refs/.
	Branch string `json:"branch"`
	Commit string `json:"commit"`
	// Conclusion is "" while it runs, then success or failure.
	Conclusion string `json:"conclusion"`
}

// Issue is one of the repository's.
type Issue struct {
	Number   int      `json:"number"`
	Title    string   `json:"title"`
	Body     string   `json:"body"`
	Labels   []string `json:"labels"`
	Open     bool     `json:"open"`
	Comments []string `json:"comments"`
}

// Attestation says of an image by its digest how it was made, or what is in it.
type Attestation struct {
	Image, Digest, Predicate string
}

// Findings are a SARIF file under the category that code scanning keeps it.
type Findings struct {
	Category string `json:"category"`
	Results  int    `json:"results"`
}

// Store keeps a State in a folder.
type Store struct{ Dir string }

// Update changes the state, alone: others wait.
func (s Store) Update(change func(*State) error) error {
	lock, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	state, err := s.Read()
	if err != nil {
		return err
	}
	if err := change(&state); err != nil {
		return err
	}
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	next := s.file() + ".next"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return err
	}
	return os.Rename(next, s.file())
}

// Read returns the state.
func (s Store) Read() (State, error) {
	var state State
	text, err := os.ReadFile(s.file())
	if errors.Is(err, os.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	return state, json.Unmarshal(text, &state)
}

func (s Store) file() string { return filepath.Join(s.Dir, "state.json") }

// Artifact is the folder of a run's artifact.
func (s Store) Artifact(run int, name string) string {
	return filepath.Join(s.run(run), "artifacts", name)
}

// Log is where act writes what it does in a run, one JSON document a line.
func (s Store) Log(run int) string { return filepath.Join(s.run(run), "act.jsonl") }

func (s Store) run(id int) string { return filepath.Join(s.Dir, "runs", strconv.Itoa(id)) }
