package stacks

import (
	"slices"

	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/key"
	"aws-microservices/constructs/registry"
)

// SharedStack makes what outlives the environments: one repository for each image, from which all of them pull, so that
// an image is built once and promoted as it is.
func SharedStack(app cdktf.App, c Config) {
	stack := newStack(app, c, "shared", c.Shared.AccountID, c.Shared.Region)
	k := key.New(stack, "key", key.Props{
		Name: c.Platform.Name + "-shared", Description: "Images", AccountID: c.Shared.AccountID,
	})
	var accounts []string
	for _, e := range c.Environments {
		accounts = append(accounts, e.AccountID)
	}
	r := registry.New(stack, "registry", registry.Props{
		Prefix: c.Platform.Name, Images: c.Platform.images(), PullAccounts: accounts, Key: k,
	})
	outputs := group(stack, "outputs")
	for _, name := range c.Platform.images() {
		output(outputs, "repository_"+name, "Where images of "+name+" are pushed", r.Repositories[name].RepositoryUrl())
	}
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
