// Package registry makes the ECR repositories that every environment pulls from.
//
//	a repository for each image <- scan on push, lifecycle, pull policy for the environments' accounts
package registry

import (
	"encoding/json"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecrlifecyclepolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecrrepository"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ecrrepositorypolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"

	"aws-microservices/constructs/iam"
	"aws-microservices/internal/finding"
)

const (
	// keepReleases and keepCommits are how many images stay, to roll back to.
	keepReleases, keepCommits = 50, 100
	// keepUntaggedDays is how long an image stays that no tag names any more.
	keepUntaggedDays = 14
)

// Props describe the repositories.
type Props struct {
	// Prefix goes before the service's name, e.g. "shop" for "shop/orders".
	Prefix string
	// Images are the repositories' names: the services', and those of their sidecars.
	Images []string
	// PullAccounts are the accounts whose tasks pull.
	PullAccounts []string
	// Key encrypts the images.
	Key kmskey.KmsKey
}

// Registry is the repositories by image.
type Registry struct {
	Repositories map[string]ecrrepository.EcrRepository
}

// Name returns the name of a service's repository.
func Name(prefix, service string) string {
	return prefix + "/" + service
}

// URL returns the address that a platform's repositories are under.
func URL(accountID, region, prefix string) string {
	return fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", accountID, region, prefix)
}

// ARN returns the ARN of a service's repository.
func ARN(accountID, region, prefix, service string) string {
	return fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", region, accountID, Name(prefix, service))
}

// New makes the repositories.
func New(scope constructs.Construct, id string, props Props) *Registry {
	scope = constructs.NewConstruct(scope, &id)
	r := &Registry{Repositories: map[string]ecrrepository.EcrRepository{}}
	for _, image := range props.Images {
		r.Repositories[image] = repository(constructs.NewConstruct(scope, jsii.String(image)), props, image)
	}
	return r
}

func repository(scope constructs.Construct, props Props, service string) ecrrepository.EcrRepository {
	repo := ecrrepository.NewEcrRepository(scope, jsii.String("repository"), &ecrrepository.EcrRepositoryConfig{
		Name:               jsii.String(Name(props.Prefix, service)),
		ImageTagMutability: jsii.String("MUTABLE"),
		ImageScanningConfiguration: &ecrrepository.EcrRepositoryImageScanningConfiguration{
			ScanOnPush: jsii.Bool(true),
		},
		EncryptionConfiguration: []*ecrrepository.EcrRepositoryEncryptionConfiguration{{
			EncryptionType: jsii.String("KMS"), KmsKey: props.Key.Arn(),
		}},
	})
	const reason = "the tag latest has to move; what runs is named by digest, which no tag can change"
	finding.Except(repo,
		finding.Exception{ID: "CKV_AWS_51", Reason: reason, Expires: "2027-11-30"},
		finding.Exception{ID: "aws-ecr-enforce-immutable-repository", Reason: reason, Expires: "2027-11-30"},
	)
	ecrlifecyclepolicy.NewEcrLifecyclePolicy(scope, jsii.String("lifecycle"), &ecrlifecyclepolicy.EcrLifecyclePolicyConfig{
		Repository: repo.Name(), Policy: jsii.String(lifecycle()),
	})
	var accounts []string
	for _, id := range props.PullAccounts {
		accounts = append(accounts, fmt.Sprintf("arn:aws:iam::%s:root", id))
	}
	document := iam.NewDocument(scope, "pull-document", iam.Statement{
		Sid:        "Pull",
		Principals: []iam.Principal{{Type: "AWS", Identifiers: accounts}},
		Actions:    []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"},
	})
	ecrrepositorypolicy.NewEcrRepositoryPolicy(scope, jsii.String("pull"), &ecrrepositorypolicy.EcrRepositoryPolicyConfig{
		Repository: repo.Name(), Policy: document.Json(),
	})
	return repo
}

// The lifecycle policy's document.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
type (
	policy struct {
		Rules []rule `json:"rules"`
	}
	rule struct {
		RulePriority int       `json:"rulePriority"`
		Description  string    `json:"description"`
		Selection    selection `json:"selection"`
		Action       action    `json:"action"`
	}
	selection struct {
		TagStatus      string   `json:"tagStatus"`
		TagPatternList []string `json:"tagPatternList,omitempty"`
		CountType      string   `json:"countType"`
		CountUnit      string   `json:"countUnit,omitempty"`
		CountNumber    int      `json:"countNumber"`
	}
	action struct {
		Type string `json:"type"`
	}
)

// lifecycle writes the policy. An image with several tags falls under the first rule that names one of them, and the
// releases come first.
func lifecycle() string {
	expire := action{Type: "expire"}
	document, err := json.Marshal(policy{Rules: []rule{
		{1, fmt.Sprintf("keep the last %d releases", keepReleases), selection{"tagged", []string{"v*"}, "imageCountMoreThan", "", keepReleases}, expire},
		{2, fmt.Sprintf("keep the last %d commits", keepCommits), selection{"tagged", []string{"commit-*"}, "imageCountMoreThan", "", keepCommits}, expire},
		{3, fmt.Sprintf("drop untagged images after %d days", keepUntaggedDays), selection{"untagged", nil, "sinceImagePushed", "days", keepUntaggedDays}, expire},
	}})
	if err != nil {
		panic(err) // only a type that JSON does not know could fail
	}
	return string(document)
}
