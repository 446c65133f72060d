// Command app synthesizes the platform, or one of as many services as it is told, for the benchmark.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucket"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/service"
	"aws-microservices/internal/fastsynth"
	"aws-microservices/stacks"
)

func main() {
	services := flag.Int("services", 0, "services an environment; 0 is the sample platform")
	out := flag.String("out", "", "folder to synthesize into")
	first := flag.Bool("first", false, "stop after the first resource")
	flag.Parse()
	if err := run(*services, *out, *first); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(services int, out string, first bool) error {
	c := stacks.All
	if services > 0 {
		c.Platform = platform(services)
		for i := range c.Environments {
			c.Environments[i].Sizes = nil
		}
	}
	if !first {
		return stacks.Synthesize(c, out)
	}
	defer jsii.Close()
	fastsynth.Enable()
	app := cdktf.NewApp(&cdktf.AppConfig{Outdir: &out})
	stack := cdktf.NewTerraformStack(app, jsii.String("stack"))
	s3bucket.NewS3Bucket(stack, jsii.String("bucket"), &s3bucket.S3BucketConfig{Bucket: jsii.String("bucket")})
	fmt.Println("first") // the benchmark takes the time of this line
	return nil
}

// platform has n services in the sample's proportions: of five two answer requests, one is called by them, one consumes a
// queue, one has a schedule.
func platform(n int) stacks.Platform {
	p := stacks.Platform{Name: stacks.All.Platform.Name, Databases: stacks.All.Platform.Databases}
	for i := range n {
		id := fmt.Sprintf("%03d", i)
		s := stacks.Service{Name: "s" + id, Uses: []string{p.Databases[0].Name}}
		switch i % 5 {
		case 0, 1:
			s.Kind, s.Path = service.Web, "/api/s"+id
		case 2:
			s.Kind = service.Internal
			p.Services[i-1].Calls = []string{s.Name}
		case 3:
			s.Kind, s.Consumes = service.Worker, "q"+id
			p.Queues = append(p.Queues, stacks.Queue{Name: s.Consumes})
		case 4:
			s.Kind, s.Schedule = service.Job, "cron(0 4 * * ? *)"
		}
		p.Services = append(p.Services, s)
	}
	return p
}
