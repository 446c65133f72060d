package stacks

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/service"
)

// valid returns a copy of the real configuration that a test may spoil.
func valid(t *testing.T) Config {
	t.Helper()
	data, err := json.Marshal(All)
	if err != nil {
		t.Fatal(err)
	}
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// The environments and services of the real configuration, by place.
const (
	dev, staging, prod                                            = 0, 1, 2
	catalog, orders, payments, mailer, shipping, nightly, migrate = 0, 1, 2, 3, 4, 5, 6
)

func TestTheRealConfigurationIsValid(t *testing.T) {
	if err := All.Validate(); err != nil {
		t.Error(err)
	}
}

// mistake is a way to spoil the real configuration, and what is said of it: every message, one a line.
type mistake struct {
	name  string
	spoil func(*Config)
	want  string
}

// refuses checks that each mistake is reported, and nothing else.
func refuses(t *testing.T, mistakes []mistake) {
	t.Helper()
	for _, test := range mistakes {
		t.Run(test.name, func(t *testing.T) {
			c := valid(t)
			test.spoil(&c)
			err := c.Validate()
			if err == nil {
				t.Fatal("was accepted")
			}
			if diff := cmp.Diff(strings.Split(test.want, "\n"), strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestEachMistakeIsNamedWithItsValueAndRemedy(t *testing.T) {
	refuses(t, []mistake{
		{
			"platform name with capitals",
			func(c *Config) { c.Platform.Name = "Shop" },
			`Platform.Name is "Shop": begin with a lower-case letter, go on with letters and digits, and put single dashes between`,
		},
		{
			"platform name too long for a bucket",
			func(c *Config) { c.Platform.Name = strings.Repeat("a", 45) },
			`Platform.Name is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-tfstate-logs-111122223333": it has 71 characters and a bucket's name takes 63: shorten a part by 8
Environments[dev].Name is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-dev": it has 49 characters and a load balancer's name takes 32: shorten a part by 17
Environments[staging].Name is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-staging": it has 53 characters and a load balancer's name takes 32: shorten a part by 21
Environments[prod].Name is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-prod": it has 50 characters and a load balancer's name takes 32: shorten a part by 18`,
		},
		{
			"no services",
			func(c *Config) {
				c.Platform.Services, c.Platform.Topics, c.Platform.Queues, c.Environments[prod].Sizes = nil, nil, nil, nil
			},
			`Services is empty: declare at least one`,
		},
		{
			"service name with an underscore",
			func(c *Config) { c.Platform.Services[nightly].Name = "night_report" },
			`Services[night_report].Name is "night_report": begin with a lower-case letter, go on with letters and digits, and put single dashes between`,
		},
		{
			"duplicate service",
			func(c *Config) {
				c.Platform.Services = append(c.Platform.Services, Service{Name: "payments", Kind: service.Internal})
			},
			`Services is "payments": it is there twice: leave one out or rename it`,
		},
		{
			"duplicate queue",
			func(c *Config) { c.Platform.Queues = append(c.Platform.Queues, Queue{Name: "mail"}) },
			`Queues is "mail": it is there twice: leave one out or rename it`,
		},
		{
			"duplicate database",
			func(c *Config) {
				c.Platform.Databases = append(c.Platform.Databases, Database{Name: "shop", MajorVersion: 17})
			},
			`Databases is "shop": it is there twice: leave one out or rename it`,
		},
		{
			"service name past the target group's limit",
			func(c *Config) {
				c.Platform.Services[catalog].Name = "a-catalog-with-a-long-name"
				c.Environments[prod].Sizes = nil
			},
			`Environments[dev].Name with Services[a-catalog-with-a-long-name].Name is "shop-dev-a-catalog-with-a-long-name": it has 35 characters and a target group's name takes 32: shorten a part by 3
Environments[staging].Name with Services[a-catalog-with-a-long-name].Name is "shop-staging-a-catalog-with-a-long-name": it has 39 characters and a target group's name takes 32: shorten a part by 7
Environments[prod].Name with Services[a-catalog-with-a-long-name].Name is "shop-prod-a-catalog-with-a-long-name": it has 36 characters and a target group's name takes 32: shorten a part by 4`,
		},
		{
			"service name past the role's limit",
			func(c *Config) { c.Platform.Services[nightly].Name = "r" + strings.Repeat("e", 41) },
			`Environments[staging].Name with Services[reeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee].Name is "shop-staging-reeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee-execution": it has 65 characters and a role's name takes 64: shorten a part by 1`,
		},
		{
			"queue name past its limit",
			func(c *Config) {
				c.Platform.Queues[0].Name = strings.Repeat("q", 61)
				c.Platform.Topics[0].Queues[0] = c.Platform.Queues[0].Name
				c.Platform.Services[payments].SendsTo[0] = c.Platform.Queues[0].Name
				c.Platform.Services[mailer].Consumes = c.Platform.Queues[0].Name
			},
			`Environments[staging].Name with Queues[qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq].Name is "shop-staging-qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq-dead.fifo": it has 84 characters and a queue's name takes 80: shorten a part by 4
Environments[prod].Name with Queues[qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq].Name is "shop-prod-qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq-dead.fifo": it has 81 characters and a queue's name takes 80: shorten a part by 1`,
		},
		{
			"unknown kind",
			func(c *Config) {
				c.Platform.Services[payments].Kind = "daemon"
				c.Platform.Services[orders].Calls = nil
			},
			`Services[payments].Kind is "daemon": choose service.Web, service.Internal, service.Worker, service.Job or service.Task`,
		},
		{
			"unknown database",
			func(c *Config) { c.Platform.Services[catalog].Uses = []string{"warehouse"} },
			`Services[catalog].Uses is "warehouse": there is no such database: name one of shop, or declare it`,
		},
		{
			"unknown queue",
			func(c *Config) { c.Platform.Services[orders].SendsTo = []string{"order-paid"} },
			`Services[orders].SendsTo is "order-paid": there is no such queue: name one of mail, to-ship, or declare it`,
		},
		{
			"unknown service",
			func(c *Config) { c.Platform.Services[orders].Calls = []string{"fraud"} },
			`Services[orders].Calls is "fraud": there is no such service: name one of catalog, orders, payments, mailer, shipping, report, migrate, or declare it`,
		},
		{
			"a link given twice",
			func(c *Config) { c.Platform.Services[orders].Calls = []string{"payments", "payments"} },
			`Services[orders].Calls is "payments": it is there twice: leave one out or rename it`,
		},
		{
			"two services on one path",
			func(c *Config) { c.Platform.Services[catalog].Path = "/api/orders" },
			`Services[orders].Path is "/api/orders": service catalog answers under "/api/orders" already: choose paths of which none is below the other`,
		},
		{
			"a path below another",
			func(c *Config) { c.Platform.Services[catalog].Path = "/api/orders/catalog" },
			`Services[orders].Path is "/api/orders": service catalog answers under "/api/orders/catalog" already: choose paths of which none is below the other`,
		},
		{
			"a path outside the API",
			func(c *Config) { c.Platform.Services[catalog].Path = "/catalog" },
			`Services[catalog].Path is "/catalog": a Web service answers under a path below /api, e.g. "/api/catalog", or under "/" for everything`,
		},
		{
			"a web service without a path",
			func(c *Config) { c.Platform.Services[catalog].Path = "" },
			`Services[catalog].Path is "": a Web service answers under a path below /api, e.g. "/api/catalog", or under "/" for everything`,
		},
		{
			"a path on a worker",
			func(c *Config) { c.Platform.Services[mailer].Path = "/api/mailer" },
			`Services[mailer].Path is "/api/mailer": only a service of kind "web" has it: leave it out or change the kind`,
		},
		{
			"a worker without a queue",
			func(c *Config) {
				c.Platform.Services[mailer].Consumes = ""
				c.Platform.Topics[0].Queues, c.Platform.Services[payments].SendsTo = []string{"to-ship"}, nil
				c.Platform.Queues = c.Platform.Queues[1:]
			},
			`Services[mailer].Consumes is "": a Worker works on the messages of a queue: name one of to-ship`,
		},
		{
			"a queue that nobody consumes",
			func(c *Config) { c.Platform.Queues = append(c.Platform.Queues, Queue{Name: "lost"}) },
			`Queues[lost] is "lost": no Worker consumes it: its messages would only grow old`,
		},
		{
			"a queue that two workers consume",
			func(c *Config) {
				c.Platform.Services = append(c.Platform.Services, Service{
					Name: "printer", Kind: service.Worker, Consumes: "mail", Backlog: c.Platform.Services[mailer].Backlog,
				})
			},
			`Queues[mail] is "mail": mailer, printer all consume it, and each message reaches only one of them: give each a queue of its own`,
		},
		{
			"a call to a service that does not answer",
			func(c *Config) { c.Platform.Services[orders].Calls = []string{"mailer"} },
			`Services[orders].Calls is "mailer": it is of kind "worker": only Web and Internal services answer`,
		},
		{
			"calls in a circle",
			func(c *Config) {
				c.Platform.Services[payments].Calls = []string{"fraud"}
				c.Platform.Services = append(c.Platform.Services, Service{Name: "fraud", Kind: service.Internal, Calls: []string{"payments"}})
			},
			`Services[fraud].Calls is [payments]: this goes in a circle: fraud -> payments -> fraud: break it with a queue`,
		},
		{
			"a job without a schedule",
			func(c *Config) { c.Platform.Services[nightly].Schedule = "" },
			`Services[report].Schedule is "": write rate(1 hour) or cron(minutes hours day-of-month month day-of-week year)`,
		},
		{
			"a schedule with five fields",
			func(c *Config) { c.Platform.Services[nightly].Schedule = "cron(0 4 * * *)" },
			`Services[report].Schedule is "cron(0 4 * * *)": a cron expression has 6 fields, minutes hours day-of-month month day-of-week year: this has 5`,
		},
		{
			"a schedule on a web service",
			func(c *Config) { c.Platform.Services[catalog].Schedule = "rate(1 hour)" },
			`Services[catalog].Schedule is "rate(1 hour)": only a service of kind "job" has it: leave it out or change the kind`,
		},
		{
			"a job that calls",
			func(c *Config) { c.Platform.Services[nightly].Calls = []string{"payments"} },
			`Services[report].Calls is [payments]: Service Connect does not reach a job: send to a queue instead`,
		},
		{
			"a visibility timeout past SQS's limit",
			func(c *Config) { c.Platform.Queues[0].VisibilityTimeoutSeconds = 43201 },
			`Queues[mail].VisibilityTimeoutSeconds is 43201: choose 0 to 43200 seconds, or 0 for the default of 30`,
		},
		{
			"a retention past SQS's limit",
			func(c *Config) { c.Platform.Queues[0].RetentionDays = 15 },
			`Queues[mail].RetentionDays is 15: choose 0 to 14 days, or 0 for the default of 4`,
		},
		{
			"negative receives",
			func(c *Config) { c.Platform.Queues[0].MaxReceives = -1 },
			`Queues[mail].MaxReceives is -1: choose 0 to 1000 tries, or 0 for the default of 5`,
		},
		{
			"an ancient PostgreSQL",
			func(c *Config) { c.Platform.Databases[0].MajorVersion = 9 },
			`Databases[shop].MajorVersion is 9: choose 14 to 18, a version of PostgreSQL that RDS offers`,
		},
		{
			"no environments",
			func(c *Config) { c.Environments = nil },
			`Environments is empty: declare at least one`,
		},
		{
			"shared account of eleven digits",
			func(c *Config) { c.Shared.AccountID = "11112222333" },
			`Shared.AccountID is "11112222333": write the twelve digits of an AWS account`,
		},
		{
			"shared region misspelt",
			func(c *Config) { c.Shared.Region = "eu-west-9" },
			`Shared.Region is "eu-west-9": choose a region of the partition aws, e.g. "eu-west-1": https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html`,
		},
		{
			"environment named like another stack",
			func(c *Config) { c.Environments[dev].Name = "shared" },
			`Environments[shared].Name is "shared": a stack of that name exists already: choose another`,
		},
		{
			"two environments of one name",
			func(c *Config) { c.Environments[staging].Name = "dev" },
			`Environments[dev].Name is "dev": another environment has that name: choose another`,
		},
		{
			"account that is no number",
			func(c *Config) { c.Environments[dev].AccountID = "dev-account" },
			`Environments[dev].AccountID is "dev-account": write the twelve digits of an AWS account`,
		},
		{
			"two environments in one account",
			func(c *Config) { c.Environments[staging].AccountID = c.Environments[dev].AccountID },
			`Environments[staging].AccountID is "444455556666": environment dev is in the same account and region, and both would log to /ecs/<service>: give each an account or a region of its own`,
		},
		{
			"unknown region",
			func(c *Config) { c.Environments[dev].Region = "mars-east-1" },
			`Environments[dev].Region is "mars-east-1": choose a region of the partition aws, e.g. "eu-west-1": https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
Environments[dev].Network.Zones is "eu-west-1a": a zone is the region and a letter, e.g. "mars-east-1a"
Environments[dev].Network.Zones is "eu-west-1b": a zone is the region and a letter, e.g. "mars-east-1a"`,
		},
		{
			"CIDR that is none",
			func(c *Config) { c.Environments[dev].Network.CIDR = "10.10.0.0" },
			`Environments[dev].Network.CIDR: "10.10.0.0" is no IPv4 range: write one like 10.0.0.0/16`,
		},
		{
			"CIDR too small",
			func(c *Config) { c.Environments[dev].Network.CIDR = "10.10.0.0/24" },
			`Environments[dev].Network.CIDR: "10.10.0.0/24" is a /24: choose between /16 and /20`,
		},
		{
			"CIDR too wide",
			func(c *Config) { c.Environments[dev].Network.CIDR = "10.0.0.0/12" },
			`Environments[dev].Network.CIDR: "10.0.0.0/12" is a /12: choose between /16 and /20`,
		},
		{
			"CIDR with host bits",
			func(c *Config) { c.Environments[dev].Network.CIDR = "10.10.1.0/16" },
			`Environments[dev].Network.CIDR: "10.10.1.0/16" has bits set behind its prefix: write 10.10.0.0/16`,
		},
		{
			"CIDR that is public",
			func(c *Config) { c.Environments[dev].Network.CIDR = "8.8.0.0/16" },
			`Environments[dev].Network.CIDR: "8.8.0.0/16" is not private address space: choose from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16`,
		},
		{
			"overlapping CIDRs",
			func(c *Config) { c.Environments[staging].Network.CIDR = "10.10.128.0/17" },
			`Environments[staging].Network.CIDR is "10.10.128.0/17": it overlaps 10.10.0.0/16 of environment dev, so the two could never be connected: choose another range`,
		},
		{
			"zero zones",
			func(c *Config) { c.Environments[dev].Network.Zones = nil },
			`Environments[dev].Network.Zones is empty: name 2 to 6: a load balancer and a database each stand in two at least`,
		},
		{
			"a zone of another region",
			func(c *Config) { c.Environments[dev].Network.Zones = []string{"eu-west-1a", "eu-west-2b"} },
			`Environments[dev].Network.Zones is "eu-west-2b": a zone is the region and a letter, e.g. "eu-west-1a"`,
		},
		{
			"a zone twice",
			func(c *Config) { c.Environments[dev].Network.Zones = []string{"eu-west-1a", "eu-west-1a"} },
			`Environments[dev].Network.Zones is "eu-west-1a": it is there twice: leave one out or rename it`,
		},
		{
			"unknown NAT",
			func(c *Config) { c.Environments[dev].Network.NAT = "two" },
			`Environments[dev].Network.NAT is "two": choose network.NATNone, network.NATSingle or network.NATPerZone`,
		},
		{
			"no NAT for a service that needs the internet",
			func(c *Config) { c.Environments[dev].Network.NAT = "none" },
			`Environments[dev].Network.NAT is "none": service payments opens connections to the internet: choose network.NATSingle or network.NATPerZone`,
		},
		{
			"a region of another partition",
			func(c *Config) { c.Shared.Region = "us-gov-west-1" },
			`Shared.Region is "us-gov-west-1": choose a region of the partition aws, e.g. "eu-west-1": https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html`,
		},
		{
			"CPU and memory that do not go together",
			func(c *Config) { c.Environments[dev].Size = Size{CPU: 256, MemoryMiB: 4096, MinTasks: 1, MaxTasks: 1} },
			`Environments[dev].Size: 4096 MiB do not go with CPU 256: choose from [512 1024 2048]`,
		},
		{
			"a CPU that Fargate does not have",
			func(c *Config) { c.Environments[dev].Size.CPU = 300 },
			`Environments[dev].Size: CPU 300 is no Fargate size: choose 256, 512, 1024, 2048, 4096, 8192 or 16384`,
		},
		{
			"more tasks at least than at most",
			func(c *Config) { c.Environments[dev].Size.MinTasks = 3 },
			`Environments[dev].Size.MinTasks is 3: run at least 1 task and at most MaxTasks, which is 2`,
		},
		{
			"no tasks",
			func(c *Config) { c.Environments[dev].Size.MinTasks = 0 },
			`Environments[dev].Size.MinTasks is 0: run at least 1 task and at most MaxTasks, which is 2`,
		},
		{
			"a size for a service that does not exist",
			func(c *Config) {
				c.Environments[prod].Sizes["basket"] = Size{CPU: 256, MemoryMiB: 512, MinTasks: 2, MaxTasks: 2}
			},
			`Environments[prod].Sizes[basket] is "basket": there is no such service: name one of catalog, orders, payments, mailer, shipping, report, migrate`,
		},
		{
			"more than all on Spot",
			func(c *Config) { c.Environments[dev].Capacity.SpotPercent = 120 },
			`Environments[dev].Capacity.SpotPercent is 120: choose 0 to 100 percent`,
		},
		{
			"an instance class that does not exist",
			func(c *Config) { c.Environments[dev].Database.InstanceClass = "db.nope.large" },
			`Environments[dev].Database.InstanceClass is "db.nope.large": choose one that RDS for PostgreSQL offers, e.g. "db.t4g.micro": https://aws.amazon.com/rds/postgresql/pricing/`,
		},
		{
			"storage below RDS's least",
			func(c *Config) { c.Environments[dev].Database.StorageGiB = 5 },
			`Environments[dev].Database.StorageGiB is 5: choose 20 to 65536 GiB`,
		},
		{
			"storage that cannot grow",
			func(c *Config) { c.Environments[dev].Database.MaxStorageGiB = 20 },
			`Environments[dev].Database.MaxStorageGiB is 20: storage autoscaling needs at least a tenth more than StorageGiB, which is 20, and goes to 65536`,
		},
		{
			"no backups",
			func(c *Config) { c.Environments[dev].Database.BackupRetentionDays = 0 },
			`Environments[dev].Database.BackupRetentionDays is 0: choose 1 to 35 days`,
		},
		{
			"a log retention CloudWatch does not know",
			func(c *Config) { c.Environments[dev].LogRetentionDays = 45 },
			`Environments[dev].LogRetentionDays is 45: CloudWatch Logs knows [1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653]`,
		},
		{
			"an address that is none",
			func(c *Config) { c.Environments[staging].AlarmEmails = []string{"platform-team"} },
			`Environments[staging].AlarmEmails is "platform-team": write an address like team@example.com`,
		},
		{
			"a domain that is no host",
			func(c *Config) { c.Environments[prod].Domain.Name = "https://shop.example.com" },
			`Environments[prod].Domain.Name is "https://shop.example.com": write a host name like "shop.example.com"`,
		},
		{
			"a zone that the domain is not in",
			func(c *Config) { c.Environments[prod].Domain.Zone = "ample.com" },
			`Environments[prod].Domain.Zone is "ample.com": shop.example.com is not in it: name the hosted zone that is`,
		},
		{
			"one path for two hosts where there is one",
			func(c *Config) {
				c.Platform.Services[catalog].Hosts = []string{"a.shop.example.com"}
				c.Platform.Services[catalog].Path = "/api/orders"
			},
			`Environments[dev].Domain is "none": services catalog and orders answer under one path for different Hosts: without a Domain there is only one
Environments[staging].Domain is "none": services catalog and orders answer under one path for different Hosts: without a Domain there is only one`,
		},
		{
			"production without deletion protection",
			func(c *Config) { c.Environments[prod].DeletionProtection = false },
			`Environments[prod].DeletionProtection is false: a production environment holds data nobody can make again: set it to true`,
		},
		{
			"production without a standby",
			func(c *Config) { c.Environments[prod].Database.MultiAZ = false },
			`Environments[prod].Database.MultiAZ is false: a production database needs a standby: set it to true`,
		},
		{
			"production with few backups",
			func(c *Config) { c.Environments[prod].Database.BackupRetentionDays = 3 },
			`Environments[prod].Database.BackupRetentionDays is 3: keep at least 7 days in production`,
		},
		{
			"production with short logs",
			func(c *Config) { c.Environments[prod].LogRetentionDays = 90 },
			`Environments[prod].LogRetentionDays is 90: keep at least 365 days in production`,
		},
		{
			"production with one task",
			func(c *Config) {
				c.Environments[prod].Sizes["orders"] = Size{CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 2}
			},
			`Environments[prod].Sizes[orders].MinTasks is 1: run at least 2 in production, one for each of two zones`,
		},
	})
}

func TestAllMistakesAreReportedAtOnce(t *testing.T) {
	c := valid(t)
	c.Shared.AccountID = "1"
	c.Platform.Services[orders].Calls = []string{"fraud"}
	c.Environments[dev].Network.Zones = nil
	c.Environments[prod].DeletionProtection = false
	err := c.Validate()
	if err == nil {
		t.Fatal("was accepted")
	}
	for _, part := range []string{"Shared.AccountID", "Services[orders].Calls", "Environments[dev].Network.Zones", "Environments[prod].DeletionProtection"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s is not reported in:\n%v", part, err)
		}
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 4 {
		t.Errorf("%d messages for 4 mistakes:\n%v", len(lines), err)
	}
}

func TestServicesComeAfterThoseTheyCall(t *testing.T) {
	platform := Platform{Services: []Service{
		{Name: "a", Calls: []string{"c", "b"}}, {Name: "b", Calls: []string{"c"}}, {Name: "c"},
	}}
	var order []string
	for _, s := range platform.calleesFirst() {
		order = append(order, s.Name)
	}
	if diff := cmp.Diff([]string{"c", "b", "a"}, order); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
