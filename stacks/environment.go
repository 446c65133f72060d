package stacks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/backup"
	"aws-microservices/constructs/bucket"
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/database"
	"aws-microservices/constructs/domain"
	"aws-microservices/constructs/frontend"
	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/ingress"
	"aws-microservices/constructs/key"
	"aws-microservices/constructs/link"
	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/monitoring"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/queue"
	"aws-microservices/constructs/registry"
	"aws-microservices/constructs/secret"
	"aws-microservices/constructs/service"
	"aws-microservices/constructs/topic"
)

// environment is one environment while it is assembled.
type environment struct {
	Environment
	config Config
	prefix string
	stack  cdktf.TerraformStack

	key      kmskey.KmsKey
	logs     *bucket.Bucket
	network  *network.Network
	cluster  *cluster.Cluster
	ingress  *ingress.Ingress
	frontend *frontend.Frontend
	// global is the provider of us-east-1, where CloudFront's certificates, logs and firewall live.
	global    cdktf.TerraformProvider
	databases map[string]*database.Database
	queues    map[string]*queue.Queue
	topics    map[string]*topic.Topic
	buckets   map[string]*bucket.Bucket
	secrets   map[string]*secret.Secret
	services  map[string]*service.Service
	// domain, rotation and backup are nil in an environment without.
	domain   *domain.Domain
	rotation *secret.Rotation
	backup   *backup.Backup
}

// EnvironmentStack makes one environment:
//
//	viewer -> frontend -> ingress -> web services -> internal services
//	                                      |   \
//	              databases, secrets, buckets   topics -> queues -> workers   jobs, tasks
func EnvironmentStack(app cdktf.App, c Config, settings Environment) {
	e := &environment{
		Environment: settings,
		config:      c,
		prefix:      settings.prefix(c.Platform),
		stack:       newStack(app, c, settings.Name, settings.AccountID, settings.Region),
		databases:   map[string]*database.Database{},
		queues:      map[string]*queue.Queue{},
		topics:      map[string]*topic.Topic{},
		buckets:     map[string]*bucket.Bucket{},
		secrets:     map[string]*secret.Secret{},
		services:    map[string]*service.Service{},
	}
	e.foundation()
	e.data()
	e.messaging()
	e.compute()
	e.edge()
	e.monitoring()
	e.outputs()
	e.unreleased()
}

// foundation makes what everything else stands on.
func (e *environment) foundation() {
	e.key = key.New(e.stack, "key", key.Props{
		Name:        e.prefix,
		Description: "Everything of " + e.prefix + " that is at rest",
		AccountID:   e.AccountID,
		Grants: []key.Grant{
			key.Logs(e.AccountID, e.Region),
			{Sid: "Alarms", Service: "cloudwatch.amazonaws.com", Conditions: key.FromAccount(e.AccountID)},
			service.EventsGrant(e.AccountID),
			topic.Grant(e.AccountID, e.Region, e.prefix),
			{
				// CloudFront reads the site. https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
				Sid: "Site", Service: "cloudfront.amazonaws.com", Actions: []string{"kms:Decrypt"},
				Conditions: []iam.Condition{{
					Test: "ArnLike", Variable: "aws:SourceArn",
					Values: []string{fmt.Sprintf("arn:aws:cloudfront::%s:distribution/*", e.AccountID)},
				}},
			},
		},
	})
	e.logs = logging.NewArchive(e.stack, "logs", logging.ArchiveProps{
		Name:           e.bucketName(e.config.Platform, "logs"),
		AccountID:      e.AccountID,
		RetentionDays:  e.LogRetentionDays,
		PreventDestroy: e.DeletionProtection,
	})
	e.network = network.New(e.stack, "network", network.Props{
		Name:             e.prefix,
		AccountID:        e.AccountID,
		Region:           e.Region,
		CIDR:             e.Network.CIDR,
		Zones:            e.Network.Zones,
		NAT:              e.Network.NAT,
		Endpoints:        e.endpoints(),
		Key:              e.key,
		LogRetentionDays: e.LogRetentionDays,
	})
}

// data makes what keeps something.
func (e *environment) data() {
	databases := group(e.stack, "databases")
	var arns []string
	for _, d := range e.config.Platform.Databases {
		made := database.New(databases, d.Name, database.Props{
			Name:                d.Name,
			Prefix:              e.prefix,
			AccountID:           e.AccountID,
			Region:              e.Region,
			Network:             e.network,
			MajorVersion:        d.MajorVersion,
			InstanceClass:       e.Database.InstanceClass,
			StorageGiB:          e.Database.StorageGiB,
			MaxStorageGiB:       e.Database.MaxStorageGiB,
			Serverless:          e.Database.Serverless,
			MultiAZ:             e.Database.MultiAZ,
			Replicas:            e.Database.Replicas,
			Proxy:               e.Database.Proxy,
			Users:               e.config.Platform.users(d.Name),
			Sleep:               e.Sleep,
			BackupRetentionDays: e.Database.BackupRetentionDays,
			BackedUp:            e.Backup != nil,
			DeletionProtection:  e.DeletionProtection,
			Key:                 e.key,
			LogRetentionDays:    e.LogRetentionDays,
		})
		e.databases[d.Name] = made
		arns = append(arns, *made.ARN())
	}
	if e.Backup != nil {
		e.backup = backup.New(e.stack, "backup", backup.Props{
			Name:              e.prefix,
			AccountID:         e.AccountID,
			Region:            e.Region,
			Key:               e.key,
			Resources:         arns,
			RetentionDays:     e.Backup.RetentionDays,
			CopyRegion:        e.Backup.CopyRegion,
			CopyProvider:      awsProvider(e.stack, e.config, e.Name, e.AccountID, e.Backup.CopyRegion, "backup"),
			CopyRetentionDays: e.Backup.CopyRetentionDays,
		})
	}
	buckets := group(e.stack, "buckets")
	for _, b := range e.config.Platform.Buckets {
		e.buckets[b.Name] = bucket.New(buckets, b.Name, bucket.Props{
			Name: e.bucketName(e.config.Platform, b.Name), Key: e.key, AccessLogs: e.logs, ExpireDays: b.ExpireDays, PreventDestroy: e.DeletionProtection,
		})
	}
	e.keepSecrets()
}

// keepSecrets makes the secrets, and what rotates those that nobody has to know.
func (e *environment) keepSecrets() {
	secrets := group(e.stack, "secrets")
	for _, s := range e.config.Platform.Secrets {
		props := secret.Props{Name: s.Name, Prefix: e.prefix, Key: e.key, DeletionProtection: e.DeletionProtection}
		if s.RotateDays > 0 {
			if e.rotation == nil {
				e.rotation = secret.NewRotation(e.stack, "rotation", secret.RotationProps{
					Name: e.prefix, AccountID: e.AccountID, Key: e.key, LogRetentionDays: e.LogRetentionDays,
				})
			}
			props.Rotation, props.RotationDays = e.rotation, s.RotateDays
		}
		e.secrets[s.Name] = secret.New(secrets, s.Name, props)
	}
}

// messaging makes the queues and the topics that feed them.
func (e *environment) messaging() {
	queues := group(e.stack, "queues")
	for _, q := range e.config.Platform.Queues {
		e.queues[q.Name] = queue.New(queues, q.Name, queue.Props{
			Name:                     q.Name,
			Prefix:                   e.prefix,
			FIFO:                     q.FIFO,
			RetentionDays:            q.RetentionDays,
			VisibilityTimeoutSeconds: q.VisibilityTimeoutSeconds,
			MaxReceives:              q.MaxReceives,
			Key:                      e.key,
		})
	}
	topics := group(e.stack, "topics")
	for _, t := range e.config.Platform.Topics {
		props := topic.Props{Name: t.Name, Prefix: e.prefix, AccountID: e.AccountID, Key: e.key}
		for _, name := range t.Queues {
			props.Queues = append(props.Queues, e.queues[name])
			props.FIFO = e.queues[name].FIFO // validation has made sure that all are alike
		}
		e.topics[t.Name] = topic.New(topics, t.Name, props)
	}
}

// compute makes the load balancer, the cluster and the services.
func (e *environment) compute() {
	e.global = awsProvider(e.stack, e.config, e.Name, e.AccountID, "us-east-1", "global")
	var certificate *string
	if e.Domain != nil {
		e.domain = domain.New(e.stack, "domain", domain.Props{
			Names: e.hosts(), Zone: e.Domain.Zone, Global: e.global,
		})
		certificate = e.domain.CertificateARN
	}
	e.ingress = ingress.New(e.stack, "ingress", ingress.Props{
		Name:               e.prefix,
		Network:            e.network,
		NetworkCIDR:        e.Network.CIDR,
		CertificateARN:     certificate,
		Routes:             e.routes(),
		TimeoutSeconds:     e.config.Platform.slowest(),
		DeletionProtection: e.DeletionProtection,
		AccessLogs:         e.logs,
	})
	e.cluster = cluster.New(e.stack, "cluster", cluster.Props{
		Name: e.prefix, Capacity: e.Capacity, Network: e.network, Key: e.key, LogRetentionDays: e.LogRetentionDays,
	})
	services := group(e.stack, "services")
	for _, s := range e.config.Platform.calleesFirst() {
		e.services[s.Name] = service.New(services, s.Name, e.serviceProps(s))
	}
}

func (e *environment) serviceProps(s Service) service.Props {
	shared, platform := e.config.Shared, e.config.Platform
	size := e.SizeOf(s.Name)
	props := service.Props{
		Name:             s.Name,
		Prefix:           e.prefix,
		ImageParameter:   fmt.Sprintf("/%s/%s/%s/image", platform.Name, e.Name, s.Name),
		RunParameter:     fmt.Sprintf("/%s/%s/%s/run", platform.Name, e.Name, s.Name),
		Registry:         registry.URL(shared.AccountID, shared.Region, platform.Name),
		AccountID:        e.AccountID,
		Region:           e.Region,
		Kind:             s.Kind,
		Schedule:         s.Schedule,
		Container:        s.Container,
		Requests:         s.Requests,
		Named:            platform.isCalled(s.Name),
		CPU:              size.CPU,
		MemoryMiB:        size.MemoryMiB,
		MinTasks:         size.MinTasks,
		MaxTasks:         size.MaxTasks,
		Scheduled:        size.Scheduled,
		Sleep:            e.Sleep,
		Queue:            e.queues[s.Consumes],
		Backlog:          s.Backlog,
		Links:            e.links(s),
		Internet:         s.Internet,
		Cluster:          e.cluster,
		Network:          e.network,
		Ingress:          e.ingress,
		Key:              e.key,
		LogRetentionDays: e.LogRetentionDays,
	}
	props.Container.Architecture = platform.architecture(s)
	for _, name := range s.repositories() {
		props.RepositoryARNs = append(props.RepositoryARNs, registry.ARN(shared.AccountID, shared.Region, platform.Name, name))
	}
	return props
}

// links turns what a service says it uses into what it gets.
func (e *environment) links(s Service) []link.Link {
	var links []link.Link
	for _, name := range s.Uses {
		links = append(links, e.databases[name].Write(s.Name))
	}
	for _, name := range s.Reads {
		links = append(links, e.databases[name].Read(s.Name))
	}
	for _, name := range s.Owns {
		links = append(links, e.databases[name].Own())
	}
	for _, name := range s.SendsTo {
		links = append(links, e.queues[name].Send())
	}
	if s.Consumes != "" {
		links = append(links, e.queues[s.Consumes].Consume(queue.Consumer{Service: s.Name, MaxWaitSeconds: s.Backlog.MaxWaitSeconds}))
	}
	for _, name := range s.Publishes {
		links = append(links, e.topics[name].Publish())
	}
	for _, name := range s.Calls {
		links = append(links, e.services[name].Call(s.Name))
	}
	for _, name := range s.Secrets {
		links = append(links, e.secrets[name].Read())
	}
	for _, objects := range s.ReadsFrom {
		name, prefix, _ := strings.Cut(objects, "/")
		links = append(links, e.buckets[name].Read(name, prefix))
	}
	for _, objects := range s.WritesTo {
		name, prefix, _ := strings.Cut(objects, "/")
		links = append(links, e.buckets[name].Write(name, prefix))
	}
	return links
}

// edge makes what viewers meet.
func (e *environment) edge() {
	props := frontend.Props{
		Name:             e.prefix,
		BucketName:       e.bucketName(e.config.Platform, "web"),
		ReleaseParameter: fmt.Sprintf("/%s/%s/web/release", e.config.Platform.Name, e.Name),
		AccountID:        e.AccountID,
		Ingress:          e.ingress,
		Key:              e.key,
		AccessLogs:       e.logs,
		Global:           e.global,
		TimeoutSeconds:   e.config.Platform.slowest(),
		Root:             e.config.Platform.hasRoot(),
		LogRetentionDays: e.LogRetentionDays,
		PreventDestroy:   e.DeletionProtection,
	}
	if e.domain != nil {
		props.Domain = &frontend.Domain{Names: e.hosts(), CertificateARN: e.domain.GlobalCertificateARN}
	}
	e.frontend = frontend.New(e.stack, "frontend", props)
	if e.domain != nil {
		e.domain.Alias(e.stack, "alias", e.frontend.Distribution)
	}
}

// watched is whatever can go wrong.
type watched interface {
	Alarms() []monitoring.Alarm
	Graphs() []monitoring.Graph
}

// monitoring gathers what every part says is worth watching, viewers' side first.
func (e *environment) monitoring() {
	parts := []watched{e.ingress, e.cluster}
	for _, name := range e.config.Platform.services() {
		parts = append(parts, e.services[name])
	}
	for _, name := range e.config.Platform.topics() {
		parts = append(parts, e.topics[name])
	}
	for _, name := range e.config.Platform.queues() {
		parts = append(parts, e.queues[name])
	}
	for _, name := range e.config.Platform.databases() {
		parts = append(parts, e.databases[name])
	}
	if e.domain != nil {
		parts = append(parts, e.domain)
	}
	if e.rotation != nil {
		parts = append(parts, e.rotation)
	}
	if e.backup != nil {
		parts = append(parts, e.backup)
	}
	props := monitoring.Props{Name: e.prefix, AccountID: e.AccountID, Region: e.Region, Key: e.key, Emails: e.AlarmEmails, Graphs: e.frontend.Graphs()}
	for _, part := range parts {
		props.Alarms = append(props.Alarms, part.Alarms()...)
		props.Graphs = append(props.Graphs, part.Graphs()...)
	}
	made := monitoring.New(e.stack, "monitoring", props)
	for _, name := range slices.Sorted(maps.Keys(made.RollBacks)) {
		e.services[name].RollBackOn(made.RollBacks[name])
	}
}

// outputs are what a person or a pipeline wants to know about the environment.
func (e *environment) outputs() {
	outputs := group(e.stack, "outputs")
	output(outputs, "site_url", "Where the site is", jsii.String("https://"+e.frontend.Host))
	if e.frontend.Bucket != nil {
		output(outputs, "site_bucket", "Where the site's files go", e.frontend.Bucket.Resource.Bucket())
	}
	output(outputs, "distribution_id", "What is invalidated after a release of the site", e.frontend.Distribution.Id())
	output(outputs, "cluster", "Where the services run", e.cluster.Resource.Name())
	output(outputs, "load_balancer", "Where the services are reached inside the network", e.ingress.LoadBalancer.DnsName())
	output(outputs, "dashboard_url", "Where the environment is watched", jsii.String(fmt.Sprintf(
		"https://%s.console.aws.amazon.com/cloudwatch/home?region=%s#dashboards:name=%s", e.Region, e.Region, e.prefix)))
	for _, d := range e.config.Platform.Databases {
		output(outputs, "database_"+d.Name, "Where database "+d.Name+" is reached inside the network", e.databases[d.Name].Endpoint())
	}
	for _, q := range e.config.Platform.Queues {
		output(outputs, "queue_"+q.Name, "Where messages of "+q.Name+" are sent", e.queues[q.Name].Resource.Url())
	}
}

// unreleased lets every plan and apply say which services have no image yet, and what gives them one. A check warns: a change
// of an output would be a change in the plan after each first release.
// https://developer.hashicorp.com/terraform/language/checks
func (e *environment) unreleased() {
	var names []*string
	for _, name := range e.config.Platform.services() {
		names = append(names, cdktf.Token_AsString(cdktf.Fn_Conditional(e.services[name].Waits, jsii.String(name), jsii.String("")), nil))
	}
	waiting := cdktf.NewTerraformLocal(e.stack, jsii.String("unreleased"), cdktf.Fn_Join(jsii.String(", "), cdktf.Fn_Compact(&names))).AsString()
	e.stack.AddOverride(jsii.String("check.released.assert"), []map[string]string{{
		"condition":     `${local.unreleased == ""}`,
		"error_message": "No release yet of " + *waiting + ": waiting for ./deploy.sh deploy " + e.Name + " SERVICE VERSION.",
	}})
}

// bucketName names a bucket. Bucket names are shared by all of AWS's customers: the account id makes them ours.
func (e Environment) bucketName(p Platform, what string) string {
	return fmt.Sprintf("%s-%s-%s", e.prefix(p), what, e.AccountID)
}

// endpoints are the AWS services that tasks call: to start, to log, for ECS Exec, and for what the platform has.
func (e *environment) endpoints() []string {
	services := []string{"ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssmmessages"}
	if len(e.config.Platform.Queues) > 0 {
		services = append(services, "sqs")
	}
	if len(e.config.Platform.Topics) > 0 {
		services = append(services, "sns")
	}
	return append(services, e.Capacity.Endpoints()...)
}

// users are the services that log in to a database.
func (pl Platform) users(name string) []database.User {
	var users []database.User
	for _, s := range pl.Services {
		if slices.Contains(s.Uses, name) {
			users = append(users, database.User{Name: s.Name})
		}
		if slices.Contains(s.Reads, name) {
			users = append(users, database.User{Name: s.Name, ReadOnly: true})
		}
	}
	return users
}

// isCalled tells whether any service calls the one.
func (pl Platform) isCalled(name string) bool {
	return slices.ContainsFunc(pl.Services, func(s Service) bool { return slices.Contains(s.Calls, name) })
}

// repositories are where a service's images come from: its own and its sidecars'.
func (s Service) repositories() []string {
	all := []string{s.Name}
	for _, c := range s.Container.Sidecars {
		name, _, _ := strings.Cut(c.Image, ":")
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// routes are the web services'. Without a domain there is one host name, CloudFront's own.
func (e *environment) routes() map[string]ingress.Route {
	routes := map[string]ingress.Route{}
	for _, s := range e.config.Platform.Services {
		if s.Kind == service.Web {
			routes[s.Name] = ingress.Route{Path: s.Path}
			if e.Domain != nil {
				routes[s.Name] = ingress.Route{Path: s.Path, Hosts: s.Hosts}
			}
		}
	}
	return routes
}

// hosts are the names viewers use: the domain's own, and those that services answer for.
func (e *environment) hosts() []string {
	hosts := []string{e.Domain.Name}
	for _, s := range e.config.Platform.Services {
		for _, h := range s.Hosts {
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
	}
	return hosts
}

// slowest is how long the slowest web service may take to answer.
func (pl Platform) slowest() int {
	seconds := 1
	for _, s := range pl.Services {
		if s.Kind == service.Web {
			seconds = max(seconds, s.Requests.TimeoutSeconds())
		}
	}
	return seconds
}

// hasRoot tells whether a service answers what no other does, so that there is no site.
func (pl Platform) hasRoot() bool {
	return slices.ContainsFunc(pl.Services, func(s Service) bool { return s.Path == ingress.Root })
}

// calleesFirst orders the services so that each comes after those it calls. Validate has refused circles.
func (pl Platform) calleesFirst() []Service {
	var ordered []Service
	var visit func(Service)
	visit = func(s Service) {
		if slices.ContainsFunc(ordered, func(o Service) bool { return o.Name == s.Name }) {
			return
		}
		for _, name := range s.Calls {
			if i := slices.IndexFunc(pl.Services, func(o Service) bool { return o.Name == name }); i >= 0 {
				visit(pl.Services[i])
			}
		}
		ordered = append(ordered, s)
	}
	for _, s := range pl.Services {
		visit(s)
	}
	return ordered
}
