package stacks

import (
	"slices"

	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/delivery"
	"aws-microservices/constructs/key"
	"aws-microservices/constructs/monitoring"
	"aws-microservices/constructs/registry"
	"aws-microservices/constructs/service"
)

// SharedStack makes what outlives the environments: one repository for each image, from which all of them pull, so that
// an image is built once and promoted as it is; and what the pipelines log in as, in every account.
func SharedStack(app cdktf.App, c Config) {
	stack := newStack(app, c, "shared", c.Shared.AccountID, c.Shared.Region)
	props := key.Props{Name: c.Platform.Name + "-shared", Description: "Images", AccountID: c.Shared.AccountID}
	if c.Shared.Repository != nil {
		props.Description = "Images, and the pipelines' logs and alarms"
		props.Grants = []key.Grant{
			key.Logs(c.Shared.AccountID, c.Shared.Region),
			{Sid: "Alarms", Service: "cloudwatch.amazonaws.com", Conditions: key.FromAccount(c.Shared.AccountID)},
		}
	}
	k := key.New(stack, "key", props)
	var accounts []string
	for _, e := range c.Environments {
		accounts = append(accounts, e.AccountID)
	}
	r := registry.New(stack, "registry", registry.Props{
		Prefix: c.Platform.Name, Images: c.Platform.images(), PullAccounts: accounts, Key: k,
	})
	if c.Shared.Repository != nil {
		pipelines(stack, c, k)
	}
	outputs := group(stack, "outputs")
	for _, name := range c.Platform.images() {
		output(outputs, "repository_"+name, "Where images of "+name+" are pushed", r.Repositories[name].RepositoryUrl())
	}
}

// pipelines makes what the pipelines need, in every account, and what their health is seen by.
func pipelines(stack cdktf.TerraformStack, c Config, k kmskey.KmsKey) {
	roleVariable(stack)
	props := delivery.Props{
		Name: c.Platform.Name, AccountID: c.Shared.AccountID, Region: c.Shared.Region, Repository: *c.Shared.Repository,
		State:  delivery.State{Bucket: c.stateBucket(), Table: c.lockTable()},
		Images: c.Platform.images(), Services: c.Platform.services(), MemberRole: MemberRole,
		Key: k, LogRetentionDays: 365,
	}
	for _, s := range c.Platform.Services {
		if s.Kind == service.Task {
			props.Tasks = append(props.Tasks, s.Name)
		}
	}
	var emails []string
	for _, e := range c.Environments {
		one := delivery.Environment{
			Name: e.Name, AccountID: e.AccountID, Region: e.Region, Production: e.Production,
			Provider: awsProvider(stack, c, "shared", e.AccountID, e.Region, e.Name),
		}
		if !c.Platform.hasRoot() {
			one.SiteBucket = e.bucketName(c.Platform, "web")
		}
		props.Environments = append(props.Environments, one)
		if e.Production {
			emails = append(emails, e.AlarmEmails...)
		}
	}
	d := delivery.New(stack, "delivery", props)
	slices.Sort(emails)
	monitoring.New(stack, "monitoring", monitoring.Props{
		Name: c.Platform.Name + "-pipelines", AccountID: c.Shared.AccountID, Region: c.Shared.Region, Key: k,
		Emails: slices.Compact(emails), Alarms: d.Alarms(), Graphs: d.Graphs(), Start: "-P28D",
	})
}

// images are what the platform runs, each once: the services and their sidecars.
func (pl Platform) images() []string {
	var images []string
	for _, s := range pl.Services {
		for _, name := range s.repositories() {
			if !slices.Contains(images, name) {
				images = append(images, name)
			}
		}
	}
	return images
}
