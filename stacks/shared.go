package stacks

import (
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/key"
	"aws-microservices/constructs/registry"
)

// SharedStack makes what outlives the environments: one repository for each service, from which all of them pull, so that
// an image is built once and promoted as it is.
func SharedStack(app cdktf.App, c Config) {
	stack := newStack(app, c, "shared", c.Shared.AccountID, c.Shared.Region)
	k := key.New(stack, "key", key.Props{
		Name: c.Platform.Name + "-shared", Description: "Images", AccountID: c.Shared.AccountID,
	})
	var services, accounts []string
	for _, s := range c.Platform.Services {
		services = append(services, s.Name)
	}
	for _, e := range c.Environments {
		accounts = append(accounts, e.AccountID)
	}
	r := registry.New(stack, "registry", registry.Props{
		Prefix: c.Platform.Name, Services: services, PullAccounts: accounts, Key: k,
	})
	outputs := group(stack, "outputs")
	for _, name := range services {
		output(outputs, "repository_"+name, "Where images of "+name+" are pushed", r.Repositories[name].RepositoryUrl())
	}
}
