package stacks

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/aws-sdk-go-base/v2/validation"

	"aws-microservices/constructs/frontend"
	"aws-microservices/constructs/ingress"
	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/service"
)

// Limits of AWS that names run into.
const (
	// Load balancers and target groups.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
	maxLoadBalancerName = 32
	maxBucketName       = 63 // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	maxRoleName         = 64 // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	maxQueueName        = 80 // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
	maxDatabaseName     = 63 // https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
	longestDBSuffix     = "-database-monitoring"
	longestBucketKind   = "logs"
	longestQueueSuffix  = "-dead"
)

var (
	namePattern        = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	accountPattern     = regexp.MustCompile(`^\d{12}$`)
	zonePattern        = regexp.MustCompile(`^[a-z]$`)
	pathPattern        = regexp.MustCompile(`^(/[a-z0-9][a-z0-9_-]*)+$`)
	hostPattern        = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
	instanceClass      = regexp.MustCompile(`^db\.(t3|t4g|m5|m5d|m6g|m6gd|m6i|m6id|m7g|m7i|m8g|r5|r5b|r5d|r6g|r6gd|r6i|r6id|r7g|r7i|r8g|x2g|x2idn|x2iedn|x2iezn)\.(micro|small|medium|large|\d*xlarge)$`)
	certificatePattern = regexp.MustCompile(`^arn:aws:acm:([a-z0-9-]+):(\d{12}):certificate/[0-9a-f-]{36}$`)
)

// reserved are names of stacks that are no environment's.
var reserved = []string{"bootstrap", "shared"}

// problems gathers everything that is wrong, so that a person mends it in one go.
type problems []error

// add notes that a field has a value it must not have. The remedy says what to write instead.
func (p *problems) add(field string, value any, remedy string, args ...any) {
	*p = append(*p, fmt.Errorf("%s is %s: %s", field, show(value), fmt.Sprintf(remedy, args...)))
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
	return errors.Join(p...)
}

// --- the platform

func (pl Platform) validate(p *problems) {
	name(p, "Platform.Name", pl.Name)
	for _, list := range []struct {
		field string
		names []string
	}{
		{"Databases", names(pl.Databases, func(d Database) string { return d.Name })},
		{"Queues", names(pl.Queues, func(q Queue) string { return q.Name })},
		{"Services", names(pl.Services, func(s Service) string { return s.Name })},
	} {
		unique(p, list.field, list.names)
		for _, n := range list.names {
			name(p, fmt.Sprintf("%s[%s].Name", list.field, n), n)
		}
	}
	if len(pl.Services) == 0 {
		p.add("Services", pl.Services, "declare at least one")
	}
	for _, d := range pl.Databases {
		between(p, fmt.Sprintf("Databases[%s].MajorVersion", d.Name), d.MajorVersion, 14, 18, ", a version of PostgreSQL that RDS offers")
	}
	for _, q := range pl.Queues {
		field := fmt.Sprintf("Queues[%s].", q.Name)
		between(p, field+"VisibilityTimeoutSeconds", q.VisibilityTimeoutSeconds, 0, 43200, " seconds, or 0 for the default of 30")
		between(p, field+"RetentionDays", q.RetentionDays, 0, 14, " days, or 0 for the default of 4")
		between(p, field+"MaxReceives", q.MaxReceives, 0, 1000, " tries, or 0 for the default of 5")
	}
	for _, s := range pl.Services {
		s.validate(p, pl)
	}
	pl.validatePaths(p)
	pl.validateConsumers(p)
	pl.validateCalls(p)
}

func (s Service) validate(p *problems, pl Platform) {
	field := fmt.Sprintf("Services[%s].", s.Name)
	switch s.Kind {
	case service.Web:
		if !pathPattern.MatchString(s.Path) || !strings.HasPrefix(s.Path, frontend.APIPath+"/") {
			p.add(field+"Path", s.Path, "a Web service answers under a path below %s, e.g. %q", frontend.APIPath, frontend.APIPath+"/"+s.Name)
		}
	case service.Worker:
		if s.Consumes == "" {
			p.add(field+"Consumes", s.Consumes, "a Worker works on the messages of a queue: name one of %s", known(names(pl.Queues, func(q Queue) string { return q.Name })))
		}
	case service.Job:
		if err := checkSchedule(s.Schedule); err != nil {
			p.add(field+"Schedule", s.Schedule, "%v", err)
		}
	case service.Internal:
	default:
		p.add(field+"Kind", s.Kind, "choose service.Web, service.Internal, service.Worker or service.Job")
	}
	if s.Path != "" && s.Kind != service.Web {
		p.add(field+"Path", s.Path, "only a Web service has one: leave it out or make the service Web")
	}
	if s.Schedule != "" && s.Kind != service.Job {
		p.add(field+"Schedule", s.Schedule, "only a Job has one: leave it out or make the service a Job")
	}
	if s.Consumes != "" && s.Kind != service.Worker {
		p.add(field+"Consumes", s.Consumes, "only a Worker consumes a queue: leave it out or make the service a Worker")
	}
	databases := names(pl.Databases, func(d Database) string { return d.Name })
	queues := names(pl.Queues, func(q Queue) string { return q.Name })
	links(p, field+"Uses", "database", s.Uses, databases)
	links(p, field+"SendsTo", "queue", s.SendsTo, queues)
	if s.Consumes != "" {
		links(p, field+"Consumes", "queue", []string{s.Consumes}, queues)
	}
	links(p, field+"Calls", "service", s.Calls, names(pl.Services, func(s Service) string { return s.Name }))
}

// links refuses what does not exist and what is named twice.
func links(p *problems, field, kind string, used, existing []string) {
	for _, n := range used {
		if !slices.Contains(existing, n) {
			p.add(field, n, "there is no such %s: name one of %s, or declare it", kind, known(existing))
		}
	}
	unique(p, field, used)
}

// validatePaths refuses paths of which a request could match two.
func (pl Platform) validatePaths(p *problems) {
	for i, s := range pl.Services {
		for _, other := range pl.Services[:i] {
			if s.Path != "" && other.Path != "" && ingress.Overlap(s.Path, other.Path) {
				p.add(fmt.Sprintf("Services[%s].Path", s.Name), s.Path,
					"service %s answers under %q already: choose paths of which none is below the other", other.Name, other.Path)
			}
		}
	}
}

// validateConsumers refuses a queue that nobody works on, or that two workers would take messages from each other.
func (pl Platform) validateConsumers(p *problems) {
	for _, q := range pl.Queues {
		var workers []string
		for _, s := range pl.Services {
			if s.Consumes == q.Name {
				workers = append(workers, s.Name)
			}
		}
		if len(workers) == 0 {
			p.add(fmt.Sprintf("Queues[%s]", q.Name), q.Name, "no Worker consumes it: its messages would only grow old")
		}
		if len(workers) > 1 {
			p.add(fmt.Sprintf("Queues[%s]", q.Name), q.Name, "%s all consume it, and each message reaches only one of them: give each a queue of its own", strings.Join(workers, ", "))
		}
	}
}

// validateCalls refuses calls that cannot arrive, and circles, in which no service could be started first.
func (pl Platform) validateCalls(p *problems) {
	calls := map[string][]string{}
	for _, s := range pl.Services {
		calls[s.Name] = s.Calls
		for _, called := range s.Calls {
			i := slices.IndexFunc(pl.Services, func(o Service) bool { return o.Name == called })
			if i >= 0 && pl.Services[i].Kind != service.Internal {
				p.add(fmt.Sprintf("Services[%s].Calls", s.Name), called, "it is of kind %q: only Internal services are called by name", pl.Services[i].Kind)
			}
		}
		if len(s.Calls) > 0 && s.Kind == service.Job {
			p.add(fmt.Sprintf("Services[%s].Calls", s.Name), s.Calls, "Service Connect does not reach scheduled tasks: send to a queue instead")
		}
	}
	reported := map[string]bool{}
	for _, s := range pl.Services {
		if circle := findCircle(calls, s.Name, nil); circle != nil {
			key := strings.Join(slices.Sorted(slices.Values(circle)), " ")
			if !reported[key] {
				reported[key] = true
				p.add(fmt.Sprintf("Services[%s].Calls", s.Name), calls[s.Name], "the calls go in a circle: %s: break it with a queue",
					strings.Join(append(circle, circle[0]), " -> "))
			}
		}
	}
}

// findCircle returns the services on a way of calls from one back to itself, nil if there is none.
func findCircle(calls map[string][]string, name string, way []string) []string {
	if i := slices.Index(way, name); i >= 0 {
		if i == 0 {
			return way
		}
		return nil // a circle further on, reported from one of its own
	}
	for _, next := range calls[name] {
		if circle := findCircle(calls, next, append(slices.Clone(way), name)); circle != nil {
			return circle
		}
	}
	return nil
}

// --- an environment

func (e Environment) validate(p *problems, pl Platform) {
	field := fmt.Sprintf("Environments[%s].", e.Name)
	name(p, field+"Name", e.Name)
	if slices.Contains(reserved, e.Name) {
		p.add(field+"Name", e.Name, "a stack of that name exists already: choose another")
	}
	account(p, field+"AccountID", e.AccountID)
	region(p, field+"Region", e.Region)
	e.validateNames(p, field, pl)
	e.validateNetwork(p, field+"Network.", pl)
	e.validateSizes(p, field, pl)
	e.validateDatabase(p, field+"Database.", pl)
	if e.Domain != nil {
		e.validateDomain(p, field+"Domain.")
	}
	between(p, field+"Capacity.SpotPercent", e.Capacity.SpotPercent, 0, 100, " percent")
	between(p, field+"Capacity.OnDemandBase", e.Capacity.OnDemandBase, 0, 100000, " tasks")
	if !slices.Contains(logging.RetentionDays, e.LogRetentionDays) {
		p.add(field+"LogRetentionDays", e.LogRetentionDays, "CloudWatch Logs knows %v", logging.RetentionDays)
	}
	for _, address := range e.AlarmEmails {
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
			p.add(field+"AlarmEmails", address, "write an address like team@example.com")
		}
	}
	unique(p, field+"AlarmEmails", e.AlarmEmails)
	if e.Production {
		e.validateProduction(p, field, pl)
	}
}

// validateNames refuses names that AWS would refuse for their length once they are put together.
func (e Environment) validateNames(p *problems, field string, pl Platform) {
	prefix := e.prefix(pl)
	if !limit(p, field+"Name", prefix, maxLoadBalancerName, "load balancer") {
		return // whatever it begins is too long as well
	}
	limit(p, field+"Name", fmt.Sprintf("%s-%s-%s", prefix, longestBucketKind, e.AccountID), maxBucketName, "bucket")
	for _, s := range pl.Services {
		limit(p, fmt.Sprintf("%sName with Services[%s].Name", field, s.Name), prefix+"-"+s.Name, maxLoadBalancerName, "target group")
	}
	for _, q := range pl.Queues {
		limit(p, fmt.Sprintf("%sName with Queues[%s].Name", field, q.Name), prefix+"-"+q.Name+longestQueueSuffix, maxQueueName, "queue")
	}
	for _, d := range pl.Databases {
		database := fmt.Sprintf("%sName with Databases[%s].Name", field, d.Name)
		limit(p, database, prefix+"-"+d.Name, maxDatabaseName, "database")
		limit(p, database, prefix+"-"+d.Name+longestDBSuffix, maxRoleName, "role")
	}
}

func (e Environment) validateNetwork(p *problems, field string, pl Platform) {
	if _, err := network.ParseRange(e.Network.CIDR); err != nil {
		*p = append(*p, fmt.Errorf("%sCIDR: %w", field, err))
	}
	zones := e.Network.Zones
	if len(zones) < 2 || len(zones) > network.MaxZones {
		p.add(field+"Zones", zones, "name 2 to %d: a load balancer and a database each stand in two at least", network.MaxZones)
	}
	for _, z := range zones {
		letter, found := strings.CutPrefix(z, e.Region)
		if !found || !zonePattern.MatchString(letter) {
			p.add(field+"Zones", z, "a zone is the region and a letter, e.g. %q", e.Region+"a")
		}
	}
	unique(p, field+"Zones", zones)
	if nats := []network.NAT{"", network.NATNone, network.NATSingle, network.NATPerZone}; !slices.Contains(nats, e.Network.NAT) {
		p.add(field+"NAT", e.Network.NAT, "choose network.NATNone, network.NATSingle or network.NATPerZone")
	}
	for _, s := range pl.Services {
		if s.Internet && (e.Network.NAT == "" || e.Network.NAT == network.NATNone) {
			p.add(field+"NAT", e.Network.NAT, "service %s opens connections to the internet: choose network.NATSingle or network.NATPerZone", s.Name)
		}
	}
}

func (e Environment) validateSizes(p *problems, field string, pl Platform) {
	services := names(pl.Services, func(s Service) string { return s.Name })
	checkSize(p, field+"Size", e.Size, true)
	for _, n := range sortedKeys(e.Sizes) {
		at := fmt.Sprintf("%sSizes[%s]", field, n)
		i := slices.Index(services, n)
		if i < 0 {
			p.add(at, n, "there is no such service: name one of %s", known(services))
			continue
		}
		checkSize(p, at, e.Sizes[n], pl.Services[i].Kind != service.Job)
	}
}

func checkSize(p *problems, field string, s Size, counted bool) {
	if err := service.CheckSize(s.CPU, s.MemoryMiB); err != nil {
		*p = append(*p, fmt.Errorf("%s: %w", field, err))
	}
	if counted && (s.MinTasks < 1 || s.MaxTasks < s.MinTasks) {
		p.add(field+".MinTasks", s.MinTasks, "run at least 1 task and at most MaxTasks, which is %d", s.MaxTasks)
	}
}

func (e Environment) validateDatabase(p *problems, field string, pl Platform) {
	if len(pl.Databases) == 0 {
		return
	}
	d := e.Database
	if !instanceClass.MatchString(d.InstanceClass) {
		p.add(field+"InstanceClass", d.InstanceClass, "choose one that RDS for PostgreSQL offers, e.g. \"db.t4g.micro\": https://aws.amazon.com/rds/postgresql/pricing/")
	}
	between(p, field+"StorageGiB", d.StorageGiB, 20, 65536, " GiB")
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
	if d.MaxStorageGiB*10 < d.StorageGiB*11 || d.MaxStorageGiB > 65536 {
		p.add(field+"MaxStorageGiB", d.MaxStorageGiB, "storage autoscaling needs at least a tenth more than StorageGiB, which is %d, and goes to 65536", d.StorageGiB)
	}
	between(p, field+"BackupRetentionDays", d.BackupRetentionDays, 1, 35, " days")
}

func (e Environment) validateDomain(p *problems, field string) {
	if !hostPattern.MatchString(e.Domain.Name) {
		p.add(field+"Name", e.Domain.Name, "write a host name like \"shop.example.com\"")
	}
	certificate(p, field+"CertificateARN", e.Domain.CertificateARN, e.Region, e.AccountID)
	certificate(p, field+"CloudFrontCertificateARN", e.Domain.CloudFrontCertificateARN, "us-east-1", e.AccountID)
}

// certificate refuses an ARN of another region or account, which AWS would refuse only when applying.
func certificate(p *problems, field, arn, region, accountID string) {
	m := certificatePattern.FindStringSubmatch(arn)
	if m == nil || m[1] != region || m[2] != accountID {
		p.add(field, arn, "write the ARN of an ACM certificate in %s of account %s: arn:aws:acm:%s:%s:certificate/…", region, accountID, region, accountID)
	}
}

// validateProduction refuses what customers should not be exposed to.
func (e Environment) validateProduction(p *problems, field string, pl Platform) {
	if !e.DeletionProtection {
		p.add(field+"DeletionProtection", e.DeletionProtection, "a production environment holds data nobody can make again: set it to true")
	}
	if len(pl.Databases) > 0 && !e.Database.MultiAZ {
		p.add(field+"Database.MultiAZ", e.Database.MultiAZ, "a production database needs a standby: set it to true")
	}
	if e.Database.BackupRetentionDays < 7 && len(pl.Databases) > 0 {
		p.add(field+"Database.BackupRetentionDays", e.Database.BackupRetentionDays, "keep at least 7 days in production")
	}
	if e.LogRetentionDays < 365 {
		p.add(field+"LogRetentionDays", e.LogRetentionDays, "keep at least 365 days in production")
	}
	for _, s := range pl.Services {
		if size := e.size(s.Name); s.Kind != service.Job && size.MinTasks < 2 {
			p.add(fmt.Sprintf("%sSizes[%s].MinTasks", field, s.Name), size.MinTasks, "run at least 2 in production, one for each of two zones")
		}
	}
}

// apart refuses two environments that would meet.
func apart(p *problems, a, b Environment) {
	field := fmt.Sprintf("Environments[%s].", b.Name)
	if a.Name == b.Name {
		p.add(field+"Name", b.Name, "another environment has that name: choose another")
	}
	if a.AccountID == b.AccountID && a.Region == b.Region {
		p.add(field+"AccountID", b.AccountID, "environment %s is in the same account and region, and both would log to /ecs/<service>: give each an account or a region of its own", a.Name)
	}
	ra, errA := netip.ParsePrefix(a.Network.CIDR)
	rb, errB := netip.ParsePrefix(b.Network.CIDR)
	if errA == nil && errB == nil && ra.Overlaps(rb) {
		p.add(field+"Network.CIDR", b.Network.CIDR, "it overlaps %s of environment %s, so the two could never be connected: choose another range", a.Network.CIDR, a.Name)
	}
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
