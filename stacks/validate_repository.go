package stacks

import (
	"fmt"
	"regexp"

	"aws-microservices/constructs/delivery"
)

// What GitHub takes for names. None has a character that means something in a pattern of IAM.
var (
	ownerPattern      = regexp.MustCompile(`^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$`)
	repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
	idPattern         = regexp.MustCompile(`^[1-9]\d*$`)
	branchPattern     = regexp.MustCompile(`^\w+([./-]+\w+)*$`)
)

// validateRepository refuses a repository whose jobs could be taken for another's, and accounts in which its roles would meet.
func (c Config) validateRepository(p *problems) {
	if c.Shared.Repository == nil {
		return
	}
	validateRepository(p, "Shared.Repository.", *c.Shared.Repository)
	for i, e := range c.Environments {
		field := fmt.Sprintf("Environments[%s].AccountID", e.Name)
		if e.AccountID == c.Shared.AccountID {
			p.add(field, e.AccountID, "it is the shared account, where the pipelines of every environment log in: give it an account of its own")
		}
		for _, other := range c.Environments[:i] {
			if e.AccountID == other.AccountID && e.Region != other.Region {
				p.add(field, e.AccountID, "environment %s is in the same account, and the pipelines' roles there are of one environment: give each an account of its own", other.Name)
			}
		}
	}
}

func validateRepository(p *problems, field string, r delivery.Repository) {
	const find = "`gh api repos/OWNER/NAME --jq %s` tells it"
	if !ownerPattern.MatchString(r.Owner) || len(r.Owner) > 39 {
		p.add(field+"Owner", r.Owner, "write the organization or user as GitHub does, e.g. \"example-org\"")
	}
	if !repositoryPattern.MatchString(r.Name) {
		p.add(field+"Name", r.Name, "write the repository's name as GitHub does, without its owner")
	}
	if !idPattern.MatchString(r.OwnerID) {
		p.add(field+"OwnerID", r.OwnerID, find, ".owner.id")
	}
	if !idPattern.MatchString(r.ID) {
		p.add(field+"ID", r.ID, find, ".id")
	}
	if !branchPattern.MatchString(r.Branch) {
		p.add(field+"Branch", r.Branch, "write the branch that is deployed from, e.g. \"main\"")
	}
}
