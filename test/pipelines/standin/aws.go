package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/goccy/go-yaml"

	"aws-microservices/internal/sdk"
	"aws-microservices/stacks"
)

// credentials logs the job in to AWS as the role, if the role trusts the token that GitHub would give this very job. The emulator
// gives anybody any role, so the role's trust policy is read from it and judged here.
func credentialsOf([]string) error {
	if err := required("role-to-assume", "aws-region"); err != nil {
		return err
	}
	role, region := input("role-to-assume"), input("aws-region")
	claims, err := token()
	if err != nil {
		return err
	}
	ctx := context.Background()
	account, name, err := parseRole(role)
	if err != nil {
		return err
	}
	// The account's own key reads the trust policy.
	root, err := sdk.Load(ctx, region, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(account, "emulator", "")))
	if err != nil {
		return err
	}
	found, err := iam.NewFromConfig(root).GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return fmt.Errorf("role %s: %w", role, err)
	}
	document, err := url.QueryUnescape(aws.ToString(found.Role.AssumeRolePolicyDocument))
	if err != nil {
		return err
	}
	trusted, err := trusts(document, account, claims)
	if err != nil {
		return err
	}
	if !trusted {
		return fmt.Errorf("Could not assume role with OIDC: Not authorized to perform sts:AssumeRoleWithWebIdentity\n%s does not trust %v", role, claims)
	}
	given, err := sts.NewFromConfig(root).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: &role, RoleSessionName: aws.String(cmp.Or(input("role-session-name"), "GitHubActions")), WebIdentityToken: aws.String("header.claims.signature"),
	})
	if err != nil {
		return fmt.Errorf("assume %s: %w", role, err)
	}
	fmt.Printf("::add-mask::%s\n::add-mask::%s\n", *given.Credentials.SecretAccessKey, *given.Credentials.SessionToken)
	var text strings.Builder
	for _, row := range [][2]string{
		{"AWS_REGION", region}, {"AWS_DEFAULT_REGION", region}, {"AWS_ACCESS_KEY_ID", *given.Credentials.AccessKeyId},
		{"AWS_SECRET_ACCESS_KEY", *given.Credentials.SecretAccessKey}, {"AWS_SESSION_TOKEN", *given.Credentials.SessionToken},
	} {
		fmt.Fprintf(&text, "%s=%s\n", row[0], row[1])
	}
	return appendTo("GITHUB_ENV", text.String())
}

func parseRole(arn string) (account, name string, err error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return "", "", fmt.Errorf("role-to-assume %q is no role's ARN", arn)
	}
	return parts[4], filepath.Base(parts[5]), nil
}

// token are the claims of the token that GitHub gives this job.
// https://docs.github.com/en/actions/reference/security/oidc
func token() (map[string]string, error) {
	file, job, err := workflowOf(variable("GITHUB_WORKFLOW"), variable("GITHUB_JOB"))
	if err != nil {
		return nil, err
	}
	if job.Permissions["id-token"] != "write" {
		return nil, fmt.Errorf("job %s of %s has no permission id-token: write, so GitHub gives it no token", variable("GITHUB_JOB"), file)
	}
	repository, ref := variable("GITHUB_REPOSITORY"), variable("GITHUB_REF")
	ours := stacks.All.Shared.Repository
	claims := map[string]string{
		"aud": cmp.Or(input("audience"), "sts.amazonaws.com"), "repository": repository, "repository_id": ours.ID, "repository_owner": ours.Owner,
		"repository_owner_id": ours.OwnerID, "ref": ref,
		"job_workflow_ref": repository + "/" + file + "@" + ref,
	}
	about := "ref:" + ref
	switch {
	case job.Environment != nil:
		// act does not say which: a job that has one says it itself.
		claims["environment"] = variable("ENVIRONMENT")
		about = "environment:" + claims["environment"]
	case variable("GITHUB_EVENT_NAME") == "pull_request":
		about = "pull_request"
	}
	claims["sub"] = fmt.Sprintf("repo:%s@%s/%s@%s:%s", ours.Owner, ours.OwnerID, ours.Name, ours.ID, about)
	return claims, nil
}

type job struct {
	Permissions map[string]string `yaml:"permissions"`
	Environment any               `yaml:"environment"`
}

// workflowOf finds the workflow that act means, and its job.
func workflowOf(name, id string) (string, job, error) {
	files, err := filepath.Glob(filepath.Join(variable("GITHUB_WORKSPACE"), ".github", "workflows", "*.yml"))
	if err != nil {
		return "", job{}, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", job{}, err
		}
		var workflow struct {
			Name string         `yaml:"name"`
			Jobs map[string]job `yaml:"jobs"`
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			return "", job{}, fmt.Errorf("%s: %w", file, err)
		}
		if found, is := workflow.Jobs[id]; is && cmp.Or(workflow.Name, filepath.Base(file)) == name {
			return ".github/workflows/" + filepath.Base(file), found, nil
		}
	}
	return "", job{}, fmt.Errorf("no workflow %q has a job %q", name, id)
}

// login logs Docker's client in to the registry, which the emulator has at its own address.
func login([]string) error {
	ctx := context.Background()
	cfg, err := sdk.Load(ctx, variable("AWS_REGION"))
	if err != nil {
		return err
	}
	given, err := ecr.NewFromConfig(cfg).GetAuthorizationToken(ctx, nil)
	if err != nil {
		return err
	}
	if len(given.AuthorizationData) == 0 {
		return errors.New("the registry gave no password")
	}
	plain, err := base64.StdEncoding.DecodeString(*given.AuthorizationData[0].AuthorizationToken)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(plain), "AWS:") {
		return errors.New("the registry gave no password of the user AWS")
	}
	// What docker login writes; it would also ask the registry by HTTPS, which the emulator's does not speak.
	registry := strings.TrimPrefix(variable("AWS_ENDPOINT_URL"), "http://")
	known, err := json.Marshal(map[string]any{
		"auths": map[string]any{registry: map[string]string{"auth": *given.AuthorizationData[0].AuthorizationToken}},
	})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(os.Getenv("RUNNER_TEMP"), "docker-")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), known, 0o600); err != nil {
		return err
	}
	if err := appendTo("GITHUB_ENV", "DOCKER_CONFIG="+dir+"\n"); err != nil {
		return err
	}
	return output("registry", registry)
}
