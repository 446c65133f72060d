package stacks

import (
	"testing"

	"aws-microservices/constructs/delivery"
)

func TestEachMistakeOfTheRepositoryIsNamed(t *testing.T) {
	refuses(t, []mistake{
		{
			"a repository that is not filled in",
			func(c *Config) { *c.Shared.Repository = delivery.Repository{} },
			"Shared.Repository.Owner is \"\": write the organization or user as GitHub does, e.g. \"example-org\"\n" +
				"Shared.Repository.Name is \"\": write the repository's name as GitHub does, without its owner\n" +
				"Shared.Repository.OwnerID is \"\": `gh api repos/OWNER/NAME --jq .owner.id` tells it\n" +
				"Shared.Repository.ID is \"\": `gh api repos/OWNER/NAME --jq .id` tells it\n" +
				"Shared.Repository.Branch is \"\": write the branch that is deployed from, e.g. \"main\"",
		},
		{
			"patterns in the place of names",
			func(c *Config) {
				r := c.Shared.Repository
				r.Owner, r.Name, r.OwnerID, r.ID, r.Branch = "example-*", "*", "*", "0", "release/*"
			},
			"Shared.Repository.Owner is \"example-*\": write the organization or user as GitHub does, e.g. \"example-org\"\n" +
				"Shared.Repository.Name is \"*\": write the repository's name as GitHub does, without its owner\n" +
				"Shared.Repository.OwnerID is \"*\": `gh api repos/OWNER/NAME --jq .owner.id` tells it\n" +
				"Shared.Repository.ID is \"0\": `gh api repos/OWNER/NAME --jq .id` tells it\n" +
				"Shared.Repository.Branch is \"release/*\": write the branch that is deployed from, e.g. \"main\"",
		},
		{
			"the owner with the name",
			func(c *Config) { c.Shared.Repository.Name = "example-org/shop" },
			`Shared.Repository.Name is "example-org/shop": write the repository's name as GitHub does, without its owner`,
		},
		{
			"an environment in the shared account",
			func(c *Config) { c.Environments[dev].AccountID = c.Shared.AccountID },
			`Environments[dev].AccountID is "111122223333": it is the shared account, where the pipelines of every environment log in: give it an account of its own`,
		},
		{
			"two environments in one account",
			func(c *Config) {
				e := &c.Environments[staging]
				e.AccountID, e.Region, e.Network.Zones = c.Environments[dev].AccountID, "eu-central-1", []string{"eu-central-1a", "eu-central-1b"}
			},
			`Environments[staging].AccountID is "444455556666": environment dev is in the same account, and the pipelines' roles there are of one environment: give each an account of its own`,
		},
	})
}

func TestAPlatformNeedsNoPipelines(t *testing.T) {
	c := valid(t)
	c.Shared.Repository = nil
	c.Environments[dev].AccountID = c.Shared.AccountID
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
