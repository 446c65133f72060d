package stacks

import (
	"fmt"
	"os"

	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/internal/fastsynth"
)

// Synthesize validates the configuration, builds every stack and writes them to a folder, "cdktf.out" if none is named.
//
// A configuration with mistakes is refused, all of them in one error, before jsii starts.
func Synthesize(c Config, outdir string) (err error) {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("the configuration is refused:\n%w", err)
	}
	fastsynth.Enable()
	defer closeQuietly()
	// jsii reports what it does not like by panicking with JavaScript's stack: the first line says what happened.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("synthesis failed: %v", r)
		}
	}()
	Build(c, outdir).Synth()
	return nil
}

// Build makes the app with every stack. The configuration must be valid.
func Build(c Config, outdir string) cdktf.App {
	config := &cdktf.AppConfig{}
	if outdir != "" {
		config.Outdir = &outdir
	}
	app := cdktf.NewApp(config)
	BootstrapStack(app, c)
	SharedStack(app, c)
	for _, e := range c.Environments {
		EnvironmentStack(app, c, e)
	}
	return app
}

// closeQuietly ends jsii's process. jsii waits for that process twice and sometimes complains on stderr that the second
// wait found nothing, which the cdktf CLI would show as an error.
func closeQuietly() {
	stderr := os.Stderr
	os.Stderr = nil
	defer func() { os.Stderr = stderr }()
	jsii.Close()
}
