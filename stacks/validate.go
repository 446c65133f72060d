package stacks

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/aws-sdk-go-base/v2/validation"
)

// Limits of AWS that names run into.
const (
	// Load balancers and target groups.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
	maxLoadBalancerName  = 32
	maxBucketName        = 63 // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	maxRoleName          = 64 // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	maxQueueName         = 80 // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
	maxDatabaseName      = 63 // https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
	maxCertificateNames  = 10 // https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html
	longestDBSuffix      = "-database-monitoring"
	longestReplicaSuffix = "-replica-15"
	longestQueueSuffix   = "-dead.fifo"
	// The role that ECS starts a service's tasks with.
	longestServiceSuffix = "-execution"
)

var (
	namePattern    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	accountPattern = regexp.MustCompile(`^\d{12}$`)
	zonePattern    = regexp.MustCompile(`^[a-z]$`)
	pathPattern    = regexp.MustCompile(`^(/[a-z0-9][a-z0-9_-]*)+$`)
	hostPattern    = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
)

// reserved are names of stacks that are no environment's.
var reserved = []string{"bootstrap", "shared"}

// problems gathers everything that is wrong, so that a person mends it in one go.
type problems []error

// add notes that a field has a value it must not have. The remedy says what to write instead.
func (p *problems) add(field string, value any, remedy string, args ...any) {
	*p = append(*p, fmt.Errorf("%s is %s: %s", field, show(value), fmt.Sprintf(remedy, args...)))
}

// within notes what a construct refuses, each problem with the place it is in before it.
func (p *problems) within(place string, err error) {
	if joined, several := err.(interface{ Unwrap() []error }); several {
		for _, e := range joined.Unwrap() {
			*p = append(*p, fmt.Errorf("%s%w", place, e))
		}
	} else if err != nil {
		*p = append(*p, fmt.Errorf("%s%w", place, err))
	}
}

// show writes a value as a person would look for it in the code.
func show(value any) string {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.String:
		return strconv.Quote(v.String())
	case v.Kind() == reflect.Slice && v.Len() == 0:
		return "empty"
	default:
		return fmt.Sprint(value)
	}
}

// Validate returns every mistake in the configuration, each naming the field, the value and the remedy; nil if there is
// none. It is pure Go: a broken configuration is refused in milliseconds, before jsii starts.
func (c Config) Validate() error {
	var p problems
	c.Platform.validate(&p)
	account(&p, "Shared.AccountID", c.Shared.AccountID)
	region(&p, "Shared.Region", c.Shared.Region)
	limit(&p, "Platform.Name", c.stateLogBucket(), maxBucketName, "bucket")
	if len(c.Environments) == 0 {
		p.add("Environments", c.Environments, "declare at least one")
	}
	for i, e := range c.Environments {
		e.validate(&p, c.Platform)
		for _, other := range c.Environments[:i] {
			apart(&p, other, e)
		}
	}
	c.validateRepository(&p)
	return errors.Join(p...)
}

// --- checks that many fields share

func name(p *problems, field, value string) {
	if !namePattern.MatchString(value) {
		p.add(field, value, "begin with a lower-case letter, go on with letters and digits, and put single dashes between")
	}
}

func account(p *problems, field, value string) {
	if !accountPattern.MatchString(value) {
		p.add(field, value, "write the twelve digits of an AWS account")
	}
}

func region(p *problems, field, value string) {
	// The regions of China and of governments are partitions of their own, where ARNs and endpoints have other names.
	other := slices.ContainsFunc([]string{"cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-"}, func(prefix string) bool { return strings.HasPrefix(value, prefix) })
	if err := validation.SupportedRegion(value); err != nil || other {
		p.add(field, value, "choose a region of the partition aws, e.g. \"eu-west-1\": https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html")
	}
}

func between(p *problems, field string, value, least, most int, what string) {
	if value < least || value > most {
		p.add(field, value, "choose %d to %d%s", least, most, what)
	}
}

// limit refuses a name that is put together from several, when it is longer than AWS takes, and tells whether it fits.
func limit(p *problems, field, composed string, most int, what string) bool {
	fits := len(composed) <= most
	if !fits {
		p.add(field, composed, "it has %d characters and a %s's name takes %d: shorten a part by %d", len(composed), what, most, len(composed)-most)
	}
	return fits
}

func unique(p *problems, field string, values []string) {
	seen := map[string]bool{}
	for _, v := range values {
		if seen[v] {
			p.add(field, v, "it is there twice: leave one out or rename it")
		}
		seen[v] = true
	}
}

func names[T any](list []T, name func(T) string) []string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = name(v)
	}
	return all
}

// known lists names for a remedy.
func known(names []string) string {
	if len(names) == 0 {
		return "(none is declared)"
	}
	return strings.Join(names, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
