// Package repository sets up the GitHub repository that the pipelines run in, as the configuration and these pipelines need it:
//
//	stacks.All -> environments with their reviewers and branches, variables
//	this package -> rules of the branch and of release tags, what Actions may run, labels
//
// It reads each setting first and writes only what differs, so it may be run at any time, and says what it changed.
package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"aws-microservices/internal/github"
	"aws-microservices/stacks"
)

// Setup sets up a repository.
type Setup struct {
	// Config says which repository, and which environments.
	Config stacks.Config
	// Reviewers approve what goes to a production environment: users, and teams of the owner as "team:name". At most 6.
	Reviewers []string
	// DryRun says what would change, and changes nothing.
	DryRun bool
	GitHub github.GH
	// Out receives a line for each change.
	Out io.Writer

	changes int
}

// Run makes the repository what it should be. Settings that GitHub refuses do not keep the others from being made.
func (s *Setup) Run(ctx context.Context) error {
	reviewers, err := s.check(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range s.Config.Environments {
		var who []reviewer
		if e.Production {
			who = reviewers
		}
		errs = append(errs, s.environment(ctx, e, who))
	}
	errs = append(errs, s.variables(ctx), s.actions(ctx), s.rulesets(ctx), s.labels(ctx))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if s.changes == 0 {
		s.say("nothing to change")
	}
	return nil
}

// check finds everything that must be right before anything is changed, and names all that is not.
func (s *Setup) check(ctx context.Context) ([]reviewer, error) {
	wanted := s.Config.Shared.Repository
	if wanted == nil {
		return nil, errors.New("Shared.Repository is nil: say in stacks/platform.go which repository has the code")
	}
	var is struct {
		ID    int `json:"id"`
		Owner struct {
			ID int `json:"id"`
		} `json:"owner"`
		DefaultBranch string `json:"default_branch"`
		Permissions   struct {
			Admin bool `json:"admin"`
		} `json:"permissions"`
	}
	if err := s.GitHub.Read(ctx, s.path(""), &is); err != nil {
		return nil, fmt.Errorf("repository %s/%s: %w", wanted.Owner, wanted.Name, err)
	}
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if id := strconv.Itoa(is.ID); id != wanted.ID {
		wrong("Shared.Repository.ID is %q: GitHub says %s; set it, the pipelines' roles trust it", wanted.ID, id)
	}
	if id := strconv.Itoa(is.Owner.ID); id != wanted.OwnerID {
		wrong("Shared.Repository.OwnerID is %q: GitHub says %s; set it, the pipelines' roles trust it", wanted.OwnerID, id)
	}
	if is.DefaultBranch != wanted.Branch {
		wrong("Shared.Repository.Branch is %q: GitHub's default branch is %s; set it, or change GitHub's", wanted.Branch, is.DefaultBranch)
	}
	if !is.Permissions.Admin {
		wrong("you are no administrator of %s/%s: log in as one, gh auth login", wanted.Owner, wanted.Name)
	}
	const most = 6 // https://docs.github.com/en/rest/deployments/environments#create-or-update-an-environment
	production := slices.ContainsFunc(s.Config.Environments, func(e stacks.Environment) bool { return e.Production })
	if n := len(s.Reviewers); production && n == 0 || n > most {
		wrong("-reviewers names %d: production needs at least one to approve what goes there, and GitHub takes %d at most", n, most)
	}
	var all []reviewer
	for _, name := range s.Reviewers {
		r, err := s.reviewer(ctx, name)
		if err != nil {
			problems = append(problems, err)
		}
		all = append(all, r)
	}
	return all, errors.Join(problems...)
}

// reviewer finds a user or a team.
func (s *Setup) reviewer(ctx context.Context, name string) (reviewer, error) {
	r, path := reviewer{Type: "User"}, "users/"+name
	if team, is := strings.CutPrefix(name, "team:"); is {
		r.Type, path = "Team", fmt.Sprintf("orgs/%s/teams/%s", s.Config.Shared.Repository.Owner, team)
	}
	err := s.GitHub.Read(ctx, path, &r)
	if github.NotFound(err) {
		return r, fmt.Errorf("-reviewers names %q: GitHub knows no %s of this name", name, strings.ToLower(r.Type))
	}
	return r, err
}

// path is one below the repository's in the API.
func (s *Setup) path(below string) string {
	r := s.Config.Shared.Repository
	return strings.TrimSuffix("repos/"+r.Owner+"/"+r.Name+"/"+below, "/")
}

func (s *Setup) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// change writes one thing, unless only what would change is asked for.
func (s *Setup) change(ctx context.Context, what, method, path string, document any) error {
	s.changes++
	if s.DryRun {
		s.say("%s: would change", what)
		return nil
	}
	if err := s.GitHub.Write(ctx, method, s.path(path), document); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s.say("%s: changed", what)
	return nil
}

// ensure makes the document at a path what is wanted. What GitHub has no document for yet is made by POST to its collection;
// a setting that is always there has none.
func ensure[T any](ctx context.Context, s *Setup, what, path, method, collection string, want T) error {
	var is T
	err := s.GitHub.Read(ctx, s.path(path), &is)
	switch {
	case github.NotFound(err) && collection != "":
		return s.change(ctx, what, "POST", collection, want)
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case reflect.DeepEqual(is, want):
		return nil
	}
	return s.change(ctx, what, method, path, want)
}
