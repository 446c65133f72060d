// Command standin stands in for GitHub where workflows run without it: the command gh, under that name, and what the actions
// in test/pipelines/actions do, each by its own name as the first argument.
//
// It knows what the workflows use and refuses the rest, so that a mistake in a workflow shows.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"aws-microservices/test/pipelines/github"
)

func main() {
	name, arguments := filepath.Base(os.Args[0]), os.Args[1:]
	if name != "gh" && len(arguments) > 0 {
		name, arguments = arguments[0], arguments[1:]
	}
	do, known := map[string]func([]string) error{
		"gh":                gh,
		"checkout":          checkout,
		"tool":              tool,
		"cache":             restore,
		"credentials":       credentialsOf,
		"ecr-login":         login,
		"upload-artifact":   upload,
		"download-artifact": download,
		"upload-sarif":      sarif,
		"attest":            attest,
		"sbom":              sbom,
		"image-scan":        scan,
		"zap":               zap,
		"sonarqube":         sonarqube,
		"dependency-review": dependencyReview,
	}[name]
	err := fmt.Errorf("there is no stand-in %q", name)
	if known {
		err = do(arguments)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s (stand-in): %v\n", name, err)
		os.Exit(1)
	}
}

// store is where the stand-in of GitHub keeps what it keeps.
func store() github.Store { return github.Store{Dir: variable("GITHUB_STANDIN")} }

// run is the number of this run.
func run() int {
	id, err := strconv.Atoi(variable("GITHUB_RUN_ID"))
	if err != nil {
		panic(err)
	}
	return id
}

// variable is an environment variable that the test, act or GitHub sets.
func variable(name string) string {
	value := os.Getenv(name)
	if value == "" {
		panic(name + " is not set")
	}
	return value
}

// input is an action's.
func input(name string) string {
	return os.Getenv("INPUT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
}

// required is an input that the action cannot do without.
func required(names ...string) error {
	var errs []error
	for _, name := range names {
		if input(name) == "" {
			errs = append(errs, fmt.Errorf("input %s is empty", name))
		}
	}
	return errors.Join(errs...)
}

// output gives the workflow an output.
func output(name, value string) error { return appendTo("GITHUB_OUTPUT", name+"="+value+"\n") }

// appendTo adds to one of the files by which a step speaks to its runner.
func appendTo(name, text string) error {
	file, err := os.OpenFile(variable(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(text)
	return err
}
