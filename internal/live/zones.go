package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"

	"aws-microservices/internal/live/stack"
	"aws-microservices/internal/sdk"
)

// MakeZones makes the public hosted zones that a stack looks up, as the owner of the domain does once in real life. env is the
// emulator's: an access key of twelve digits is the account there.
func MakeZones(ctx context.Context, s *stack.Stack, env []string) error {
	if len(s.Zones) == 0 {
		return nil
	}
	configuration, err := sdk.Load(ctx, s.Backend.Region,
		config.WithBaseEndpoint(variable(env, "AWS_ENDPOINT_URL")),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.Account, "emulator", "")))
	if err != nil {
		return err
	}
	client := route53.NewFromConfig(configuration)
	for _, name := range s.Zones {
		existing, err := client.ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: &name})
		if err != nil {
			return fmt.Errorf("hosted zone %s: %w", name, err)
		}
		if len(existing.HostedZones) > 0 && strings.TrimSuffix(*existing.HostedZones[0].Name, ".") == name {
			continue
		}
		_, err = client.CreateHostedZone(ctx, &route53.CreateHostedZoneInput{Name: &name, CallerReference: aws.String("live-" + name)})
		if err != nil {
			return fmt.Errorf("hosted zone %s: %w", name, err)
		}
	}
	return nil
}

// variable returns an environment variable of a process; the last one counts.
func variable(env []string, name string) string {
	for _, row := range slices.Backward(env) {
		if value, found := strings.CutPrefix(row, name+"="); found {
			return value
		}
	}
	return ""
}
