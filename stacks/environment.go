package stacks

import (
	"fmt"
	"slices"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/bucket"
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/database"
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
	"aws-microservices/constructs/service"
)

// environment is one environment while it is assembled.
type environment struct {
	Environment
	config Config
	prefix string
	stack  cdktf.TerraformStack

	key       kmskey.KmsKey
	logs      *bucket.Bucket
	network   *network.Network
	cluster   *cluster.Cluster
	ingress   *ingress.Ingress
	frontend  *frontend.Frontend
	databases map[string]*database.Database
	queues    map[string]*queue.Queue
	services  map[string]*service.Service
}

// EnvironmentStack makes one environment:
//
//	viewer -> frontend -> ingress -> web services -> internal services
//	                                      |   \
//	                                databases  queues -> workers        jobs
func EnvironmentStack(app cdktf.App, c Config, settings Environment) {
	e := &environment{
		Environment: settings,
		config:      c,
		prefix:      settings.prefix(c.Platform),
		stack:       newStack(app, c, settings.Name, settings.AccountID, settings.Region),
		databases:   map[string]*database.Database{},
		queues:      map[string]*queue.Queue{},
		services:    map[string]*service.Service{},
	}
	e.foundation()
	e.data()
	e.compute()
	e.edge()
	e.monitoring()
	e.outputs()
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
		Name:           e.bucketName("logs"),
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
		Endpoints:        e.config.Platform.endpoints(),
		Key:              e.key,
		LogRetentionDays: e.LogRetentionDays,
	})
}

// data makes what keeps something.
func (e *environment) data() {
	databases := group(e.stack, "databases")
	for _, d := range e.config.Platform.Databases {
		e.databases[d.Name] = database.New(databases, d.Name, database.Props{
			Name:                d.Name,
			Prefix:              e.prefix,
			AccountID:           e.AccountID,
			Region:              e.Region,
			Network:             e.network,
			MajorVersion:        d.MajorVersion,
			InstanceClass:       e.Database.InstanceClass,
			StorageGiB:          e.Database.StorageGiB,
			MaxStorageGiB:       e.Database.MaxStorageGiB,
			MultiAZ:             e.Database.MultiAZ,
			BackupRetentionDays: e.Database.BackupRetentionDays,
			DeletionProtection:  e.DeletionProtection,
			Key:                 e.key,
			LogRetentionDays:    e.LogRetentionDays,
		})
	}
	queues := group(e.stack, "queues")
	for _, q := range e.config.Platform.Queues {
		e.queues[q.Name] = queue.New(queues, q.Name, queue.Props{
			Name:                     q.Name,
			Prefix:                   e.prefix,
			RetentionDays:            q.RetentionDays,
			VisibilityTimeoutSeconds: q.VisibilityTimeoutSeconds,
			MaxReceives:              q.MaxReceives,
			Key:                      e.key,
		})
	}
}

// compute makes the load balancer, the cluster and the services.
func (e *environment) compute() {
	var certificate string
	if e.Domain != nil {
		certificate = e.Domain.CertificateARN
	}
	e.ingress = ingress.New(e.stack, "ingress", ingress.Props{
		Name:               e.prefix,
		Network:            e.network,
		NetworkCIDR:        e.Network.CIDR,
		CertificateARN:     certificate,
		Paths:              e.config.Platform.paths(),
		DeletionProtection: e.DeletionProtection,
		AccessLogs:         e.logs,
	})
	e.cluster = cluster.New(e.stack, "cluster", cluster.Props{
		Name: e.prefix, Capacity: e.Capacity, Key: e.key, LogRetentionDays: e.LogRetentionDays,
	})
	services := group(e.stack, "services")
	for _, s := range e.config.Platform.calleesFirst() {
		shared := e.config.Shared
		size := e.size(s.Name)
		e.services[s.Name] = service.New(services, s.Name, service.Props{
			Name:             s.Name,
			Prefix:           e.prefix,
			ImageParameter:   fmt.Sprintf("/%s/%s/%s/image", e.config.Platform.Name, e.Name, s.Name),
			Repository:       registry.URL(shared.AccountID, shared.Region, e.config.Platform.Name, s.Name),
			RepositoryARN:    registry.ARN(shared.AccountID, shared.Region, e.config.Platform.Name, s.Name),
			AccountID:        e.AccountID,
			Region:           e.Region,
			Kind:             s.Kind,
			Schedule:         s.Schedule,
			CPU:              size.CPU,
			MemoryMiB:        size.MemoryMiB,
			MinTasks:         size.MinTasks,
			MaxTasks:         size.MaxTasks,
			Links:            e.links(s),
			Internet:         s.Internet,
			Cluster:          e.cluster,
			Network:          e.network,
			Ingress:          e.ingress,
			Key:              e.key,
			LogRetentionDays: e.LogRetentionDays,
		})
	}
}

// links turns what a service says it uses into what it gets.
func (e *environment) links(s Service) []link.Link {
	var links []link.Link
	for _, name := range s.Uses {
		links = append(links, e.databases[name].Connect(s.Name))
	}
	for _, name := range s.SendsTo {
		links = append(links, e.queues[name].Send())
	}
	if s.Consumes != "" {
		links = append(links, e.queues[s.Consumes].Consume())
	}
	for _, name := range s.Calls {
		links = append(links, e.services[name].Call())
	}
	return links
}

// edge makes what viewers meet.
func (e *environment) edge() {
	props := frontend.Props{
		Name:             e.prefix,
		BucketName:       e.bucketName("web"),
		AccountID:        e.AccountID,
		Ingress:          e.ingress,
		Key:              e.key,
		AccessLogs:       e.logs,
		Global:           awsProvider(e.stack, e.config, e.Name, e.AccountID, "us-east-1", "global"),
		LogRetentionDays: e.LogRetentionDays,
		PreventDestroy:   e.DeletionProtection,
	}
	if e.Domain != nil {
		props.Domain = &frontend.Domain{Name: e.Domain.Name, CertificateARN: e.Domain.CloudFrontCertificateARN}
	}
	e.frontend = frontend.New(e.stack, "frontend", props)
}

// monitoring gathers what every part says is worth watching, viewers' side first.
func (e *environment) monitoring() {
	alarms := e.ingress.Alarms()
	graphs := append(e.frontend.Graphs(), e.ingress.Graphs()...)
	for _, s := range e.config.Platform.Services {
		alarms = append(alarms, e.services[s.Name].Alarms()...)
		graphs = append(graphs, e.services[s.Name].Graphs()...)
	}
	for _, q := range e.config.Platform.Queues {
		alarms = append(alarms, e.queues[q.Name].Alarms()...)
		graphs = append(graphs, e.queues[q.Name].Graphs()...)
	}
	for _, d := range e.config.Platform.Databases {
		alarms = append(alarms, e.databases[d.Name].Alarms()...)
		graphs = append(graphs, e.databases[d.Name].Graphs()...)
	}
	monitoring.New(e.stack, "monitoring", monitoring.Props{
		Name: e.prefix, AccountID: e.AccountID, Region: e.Region, Key: e.key, Emails: e.AlarmEmails, Alarms: alarms, Graphs: graphs,
	})
}

// outputs are what a person or a pipeline wants to know about the environment.
func (e *environment) outputs() {
	outputs := group(e.stack, "outputs")
	output(outputs, "site_url", "Where the site is", jsii.String("https://"+e.frontend.Host))
	output(outputs, "site_bucket", "Where the site's files go", e.frontend.Bucket.Resource.Bucket())
	output(outputs, "distribution_id", "What is invalidated after a release of the site", e.frontend.Distribution.Id())
	output(outputs, "cluster", "Where the services run", e.cluster.Resource.Name())
	output(outputs, "load_balancer", "Where the services are reached inside the network", e.ingress.LoadBalancer.DnsName())
	output(outputs, "dashboard_url", "Where the environment is watched", jsii.String(fmt.Sprintf(
		"https://%s.console.aws.amazon.com/cloudwatch/home?region=%s#dashboards:name=%s", e.Region, e.Region, e.prefix)))
	for _, d := range e.config.Platform.Databases {
		output(outputs, "database_"+d.Name, "Where database "+d.Name+" is reached inside the network", e.databases[d.Name].Resource.Endpoint())
	}
	for _, q := range e.config.Platform.Queues {
		output(outputs, "queue_"+q.Name, "Where messages of "+q.Name+" are sent", e.queues[q.Name].Resource.Url())
	}
}

// bucketName names a bucket. Bucket names are shared by all of AWS's customers: the account id makes them ours.
func (e *environment) bucketName(what string) string {
	return fmt.Sprintf("%s-%s-%s", e.prefix, what, e.AccountID)
}

// endpoints are the AWS services that tasks call: to start, to log, for ECS Exec, and for what the platform has.
func (pl Platform) endpoints() []string {
	services := []string{"ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssmmessages"}
	if len(pl.Queues) > 0 {
		services = append(services, "sqs")
	}
	return services
}

// paths are the web services' paths by service.
func (pl Platform) paths() map[string]string {
	paths := map[string]string{}
	for _, s := range pl.Services {
		if s.Kind == service.Web {
			paths[s.Name] = s.Path
		}
	}
	return paths
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
