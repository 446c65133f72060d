package containers

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

//go:embed standin.sh
var standin string

// Image is one that others are built on or run from.
type Image struct {
	// Name is its reference in a registry.
	Name string
	// standin names what standin.sh makes instead.
	standin string
	// changes are what the image sets beside its files.
	changes []string
}

// The images that the shop needs beside its own.
var (
	Go = Image{
		Name: "docker.io/library/golang:1.26", standin: "golang",
		changes: []string{"ENV PATH=/go/bin:/usr/local/go/bin:/bin:/usr/bin:/sbin", "ENV GOPATH=/go", "ENV GOTOOLCHAIN=local", "WORKDIR /go"},
	}
	// PostgreSQL is what the emulator's RDS starts for version 17.
	PostgreSQL = Image{
		Name: "docker.io/library/postgres:17-alpine", standin: "postgres",
		changes: []string{`ENTRYPOINT ["docker-entrypoint.sh"]`, `CMD ["postgres"]`, "ENV PATH=/usr/local/bin:/bin:/usr/bin:/sbin", "STOPSIGNAL SIGINT"},
	}
)

// pullTime is long enough for a registry that is there.
const pullTime = 5 * time.Minute

// Provide makes sure that the engine has an image: its own, the registry's, or one made of what is installed here. It says which.
func (e *Engine) Provide(ctx context.Context, image Image) (string, error) {
	if _, err := e.Docker(ctx, "image", "inspect", image.Name); err == nil {
		return "is there", nil
	}
	pulling, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	_, err := e.Docker(pulling, "pull", "--quiet", image.Name)
	if err == nil {
		return "pulled", nil
	}
	if made := e.make(ctx, image); made != nil {
		return "", fmt.Errorf("image %s is neither to be had (%w) nor to be made (%w)", image.Name, err, made)
	}
	return "made of what is installed here, because no registry has it", nil
}

// make imports the stand-in.
func (e *Engine) make(ctx context.Context, image Image) error {
	var problem bytes.Buffer
	cmd := exec.CommandContext(ctx, "bash", "-s", "--", image.standin)
	cmd.Stdin, cmd.Stderr = strings.NewReader(standin), &problem
	archive, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	arguments := []string{"import"}
	for _, change := range image.changes {
		arguments = append(arguments, "--change", change)
	}
	var refused bytes.Buffer
	imported := e.run(ctx, archive, io.Discard, &refused, append(arguments, "-", image.Name)...)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(problem.String()))
	}
	if imported != nil {
		return fmt.Errorf("%w: %s", imported, lastLine(refused.String()))
	}
	return nil
}

// Build builds an image from a Dockerfile below a folder, with build arguments of the form NAME=value.
func (e *Engine) Build(ctx context.Context, log io.Writer, folder, dockerfile, image string, arguments ...string) error {
	command := []string{"build", "--file", dockerfile, "--tag", image}
	for _, argument := range arguments {
		command = append(command, "--build-arg", argument)
	}
	if err := e.run(ctx, nil, log, log, append(command, folder)...); err != nil {
		return fmt.Errorf("build %s: %w", image, err)
	}
	return nil
}

// Push sends an image to the registry that its name begins with.
func (e *Engine) Push(ctx context.Context, image string) error {
	_, err := e.Docker(ctx, "push", "--quiet", image)
	return err
}
