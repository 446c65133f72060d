package stacks

import (
	"testing"

	"aws-microservices/constructs/service"
)

func TestKindsTakeOnlyWhatTheyNeed(t *testing.T) {
	refuses(t, []mistake{
		{
			"a backlog on a web service",
			func(c *Config) {
				c.Platform.Services[catalog].Backlog = service.Backlog{MessageSeconds: 1, MaxWaitSeconds: 900}
			},
			`Services[catalog].Backlog is {1 900}: only a service of kind "worker" has it: leave it out or change the kind`,
		},
		{
			"a job that owns a database",
			func(c *Config) {
				c.Platform.Services[nightly].Reads, c.Platform.Services[nightly].Owns = nil, []string{"shop"}
				c.Platform.Services[migrate].Owns = nil
			},
			`Services[report].Owns is [shop]: only a service of kind "task" has it: leave it out or change the kind`,
		},
		{
			"sticky workers",
			func(c *Config) { c.Platform.Services[mailer].Requests.StickySeconds = 60 },
			`Services[mailer].Requests.StickySeconds is 60: only a service of kind "web" has it: leave it out or change the kind`,
		},
		{
			"requests to a worker",
			func(c *Config) { c.Platform.Services[mailer].Requests.MaxSeconds = 20 },
			`Services[mailer].Requests.MaxSeconds is 20: a service of kind "worker" answers no requests: leave it out`,
		},
		{
			"a port on a job",
			func(c *Config) { c.Platform.Services[nightly].Container.Port = 8080 },
			`Services[report].Container.Port is 8080: a service of kind "job" has no port: leave Port and Protocol out`,
		},
		{
			"a health command on a task",
			func(c *Config) { c.Platform.Services[migrate].Container.HealthCommand = []string{"CMD", "/ok"} },
			`Services[migrate].Container.HealthCommand is [CMD /ok]: a service of kind "task" is watched by how it ends: leave it out`,
		},
		{
			"gRPC behind the load balancer",
			func(c *Config) { c.Platform.Services[catalog].Container.Protocol = service.GRPC },
			`Services[catalog].Container.Protocol is "grpc": a Web service answers HTTP: leave it out or make the service Internal`,
		},
		{
			"two services for everything",
			func(c *Config) { c.Platform.Services[catalog].Path, c.Platform.Services[orders].Path = "/", "/" },
			`Services[orders].Path is "/": service catalog answers under "/" already: choose paths of which none is below the other`,
		},
		{
			"a host outside the domain",
			func(c *Config) { c.Platform.Services[catalog].Hosts = []string{"shop.example.org"} },
			`Services[catalog].Hosts is "shop.example.org": it is not below the Domain of environment prod, shop.example.com: viewers could not reach it`,
		},
		{
			"a host that is none",
			func(c *Config) { c.Platform.Services[catalog].Hosts = []string{"api_.shop.example.com"} },
			`Services[catalog].Hosts is "api_.shop.example.com": write a host name like "api.shop.example.com"`,
		},
	})
}

func TestRequestsAndStopsFitEachOther(t *testing.T) {
	refuses(t, []mistake{
		{
			"longer than CloudFront waits",
			func(c *Config) { c.Platform.Services[catalog].Requests.MaxSeconds = 90 },
			`Services[catalog].Requests.MaxSeconds is 90: choose 0 to 60 seconds, or 0 for the default of 30`,
		},
		{
			"stopped in the middle of a request",
			func(c *Config) {
				c.Platform.Services[catalog].Requests.MaxSeconds = 50
				c.Platform.Services[catalog].Container.StopTimeoutSeconds = 20
			},
			`Services[catalog].Container.StopTimeoutSeconds is 20: a request may take 50 seconds, and a task that stops must still answer it: choose 60 or more`,
		},
		{
			"longer than Fargate waits",
			func(c *Config) { c.Platform.Services[mailer].Container.StopTimeoutSeconds = 600 },
			`Services[mailer].Container.StopTimeoutSeconds is 600: choose 0 to 120 seconds, or 0 for the default`,
		},
		{
			"a slow start that is too quick",
			func(c *Config) { c.Platform.Services[catalog].Requests.SlowStartSeconds = 5 },
			`Services[catalog].Requests.SlowStartSeconds is 5: choose 30 to 900 seconds, or 0 for none`,
		},
	})
}

func TestAWorkerPromisesWhatItCanKeep(t *testing.T) {
	refuses(t, []mistake{
		{
			"nothing promised",
			func(c *Config) { c.Platform.Services[mailer].Backlog = service.Backlog{} },
			`Services[mailer].Backlog: MessageSeconds is 0: say how long one task works on one message
Services[mailer].Backlog: MaxWaitSeconds is 0: a new task may need 420 s to come and 180 to catch up: allow 600, or keep MinTasks for the peak`,
		},
		{
			"longer than the visibility timeout",
			func(c *Config) {
				c.Platform.Queues[0].VisibilityTimeoutSeconds = 0
				c.Platform.Services[mailer].Backlog.MessageSeconds = 10
			},
			`Services[mailer].Backlog: VisibilityTimeoutSeconds is 30: make it 6 times MessageSeconds, 60: a slow message would be worked on twice`,
		},
		{
			"stopped in the middle of a message",
			func(c *Config) {
				c.Platform.Queues[0].VisibilityTimeoutSeconds = 600
				c.Platform.Services[mailer].Backlog = service.Backlog{MessageSeconds: 45, MaxWaitSeconds: 900}
			},
			`Services[mailer].Container.StopTimeoutSeconds is 0: a message takes 45 seconds, and a task that stops should finish it: choose 45 to 120`,
		},
	})
}

func TestContainersStayHarmless(t *testing.T) {
	container := func(spoil func(*service.Container)) func(*Config) {
		return func(c *Config) { spoil(&c.Platform.Services[catalog].Container) }
	}
	sidecar := func(s service.Sidecar) func(*Config) {
		return container(func(c *service.Container) { c.Sidecars = []service.Sidecar{s} })
	}
	refuses(t, []mistake{
		{
			"no architecture",
			func(c *Config) { c.Platform.Architecture = "" },
			`Platform.Architecture is "": choose service.ARM64 or service.X86, whatever the images are built for`,
		},
		{
			"root",
			container(func(c *service.Container) { c.User = "0:0" }),
			`Services[catalog].Container.User is "0:0": write the numbers of a user and a group that are not root's, like "1000:1000"`,
		},
		{
			"a port for root",
			container(func(c *service.Container) { c.Port = 80 }),
			`Services[catalog].Container.Port is 80: choose 1024 to 65535, but not 15000 or 15001: what is not root cannot listen below`,
		},
		{
			"everything writable",
			container(func(c *service.Container) { c.Writable = []string{"/", "tmp", "/var/"} }),
			`Services[catalog].Container.Writable is "/": write a directory below / without a slash at its end, like "/var/cache"
Services[catalog].Container.Writable is "tmp": write a directory below / without a slash at its end, like "/var/cache"
Services[catalog].Container.Writable is "/var/": write a directory below / without a slash at its end, like "/var/cache"`,
		},
		{
			"a disk smaller than the free one",
			container(func(c *service.Container) { c.EphemeralStorageGiB = 10 }),
			`Services[catalog].Container.EphemeralStorageGiB is 10: choose 21 to 200 GiB, or 0 for Fargate's 20`,
		},
		{
			"a variable with a dash",
			container(func(c *service.Container) { c.Environment = map[string]string{"LOG-LEVEL": "debug"} }),
			`Services[catalog].Container.Environment is "LOG-LEVEL": begin with a letter or _, and go on with letters, digits and _`,
		},
		{
			"a health command without a command",
			container(func(c *service.Container) { c.HealthCommand = []string{"/app -health"} }),
			`Services[catalog].Container.HealthCommand is [/app -health]: begin with "CMD" or "CMD-SHELL", and the command after it`,
		},
		{
			"an image that names no tag",
			sidecar(service.Sidecar{Name: "proxy", Image: "proxy"}),
			`Services[catalog].Container.Sidecars[proxy].Image is "proxy": write a repository of the platform and a tag, like "otel-collector:0.139.0"`,
		},
		{
			"a sidecar named like its service",
			sidecar(service.Sidecar{Name: "catalog", Image: "proxy:1"}),
			`Services[catalog].Container.Sidecars is "catalog": it is there twice: leave one out or rename it`,
		},
		{
			"a sidecar after one that is not there",
			sidecar(service.Sidecar{Name: "proxy", Image: "proxy:1", After: []string{"agent"}}),
			`Services[catalog].Container.Sidecars[proxy].After is "agent": there is no such sidecar of the service: name one of proxy, or declare it`,
		},
		{
			"sidecars that wait for each other",
			container(func(c *service.Container) {
				c.Sidecars = []service.Sidecar{{Name: "a", Image: "a:1", After: []string{"b"}}, {Name: "b", Image: "b:1", After: []string{"a"}}}
			}),
			`Services[catalog].Container.Sidecars[a].After is [b]: this goes in a circle: a -> b -> a: none of them could start`,
		},
		{
			"an optional first step",
			sidecar(service.Sidecar{Name: "first", Image: "first:1", Init: true, Optional: true}),
			`Services[catalog].Container.Sidecars[first].Optional is true: the service waits until an Init container has ended well: leave out one of the two`,
		},
		{
			"sidecars that leave no memory",
			func(c *Config) {
				// Whatever the platform gives them.
				c.Environments[dev].Size.MemoryMiB, c.Environments[staging].Size.MemoryMiB = 512, 512
				sidecar(service.Sidecar{Name: "proxy", Image: "proxy:1", MemoryMiB: 512})(c)
			},
			`Services[catalog].Container.Sidecars is 512: their MemoryMiB leave nothing of the task's 512 in environment dev: give the task more or them less
Services[catalog].Container.Sidecars is 512: their MemoryMiB leave nothing of the task's 512 in environment staging: give the task more or them less`,
		},
		{
			"a sidecar that outlives a job",
			func(c *Config) {
				c.Platform.Services[nightly].Container.Sidecars = []service.Sidecar{{Name: "proxy", Image: "proxy:1"}}
			},
			`Services[report].Container.Sidecars[proxy].Init is false: a service of kind "job" ends when its own container does: only Init containers go before it`,
		},
	})
}

func TestLinksLeadSomewhere(t *testing.T) {
	refuses(t, []mistake{
		{
			"unknown topic",
			func(c *Config) { c.Platform.Services[orders].Publishes = []string{"order-paid"} },
			`Services[orders].Publishes is "order-paid": there is no such topic: name one of order-placed, or declare it`,
		},
		{
			"unknown secret",
			func(c *Config) { c.Platform.Services[orders].Secrets = []string{"signing"} },
			`Services[orders].Secrets is "signing": there is no such secret: name one of order-signing, payment-provider, or declare it`,
		},
		{
			"unknown bucket",
			func(c *Config) { c.Platform.Services[nightly].WritesTo = []string{"reports/daily/"} },
			`Services[report].WritesTo is "reports": there is no such bucket: name one of media, or declare it`,
		},
		{
			"a prefix that ends in the middle of a name",
			func(c *Config) { c.Platform.Services[nightly].WritesTo = []string{"media/reports"} },
			`Services[report].WritesTo is "media/reports": write a bucket and the beginning of its objects' keys, like "media/pictures/", or "media/" for all`,
		},
		{
			"two prefixes of one bucket",
			func(c *Config) { c.Platform.Services[nightly].ReadsFrom = []string{"media/pictures/"} },
			`Services[report].WritesTo is "media": the bucket is in more than one of ReadsFrom and WritesTo: name the same prefix in both, or give each a bucket`,
		},
		{
			"a database that is used and read",
			func(c *Config) { c.Platform.Services[catalog].Reads = []string{"shop"} },
			`Services[catalog].Reads is "shop": the database is in more than one of Uses, Reads and Owns`,
		},
		{
			"a worker that feeds itself",
			func(c *Config) { c.Platform.Services[mailer].SendsTo = []string{"mail"} },
			`Services[mailer].SendsTo is "mail": the queue is in more than one of SendsTo and Consumes: it would feed itself`,
		},
		{
			"a topic that nobody hears",
			func(c *Config) { c.Platform.Topics[0].Queues = nil },
			`Topics[order-placed].Queues is empty: nobody would get what is published: name one of mail, to-ship`,
		},
		{
			"a topic with queues of both sorts",
			func(c *Config) { c.Platform.Queues[1].FIFO = true },
			`Topics[order-placed].Queues is [mail to-ship]: only to-ship is FIFO: a topic feeds FIFO queues or standard ones, so make them alike`,
		},
		{
			"a queue named like dead letters",
			func(c *Config) {
				c.Platform.Queues[0].Name, c.Platform.Topics[0].Queues[0] = "mail-dead", "mail-dead"
				c.Platform.Services[mailer].Consumes, c.Platform.Services[payments].SendsTo = "mail-dead", nil
			},
			`Queues[mail-dead].Name is "mail-dead": names that end in -dead are those of dead-letter queues: choose another`,
		},
		{
			"a topic named like the alarms'",
			func(c *Config) {
				c.Platform.Topics[0].Name, c.Platform.Services[orders].Publishes = "alarms", []string{"alarms"}
			},
			`Topics[alarms].Name is "alarms": every environment has a topic of that name, for its alarms: choose another`,
		},
		{
			"a job named like a queue",
			func(c *Config) { c.Platform.Services[nightly].Name = "mail" },
			`Services[mail].Name is "mail": a queue has that name, and both have dead letters named after it: choose another`,
		},
		{
			"a database that nobody owns",
			func(c *Config) { c.Platform.Services[migrate].Owns = nil },
			`Databases[shop] is "shop": no Task owns it, and nobody else may make the roles that its services log in as: declare one with Owns`,
		},
		{
			"a database that two tasks own",
			func(c *Config) {
				c.Platform.Services = append(c.Platform.Services, Service{Name: "seed", Kind: service.Task, Owns: []string{"shop"}})
			},
			`Databases[shop] is "shop": migrate, seed all own it, and would undo each other's changes: leave it to one`,
		},
		{
			"a bucket of the platform's own",
			func(c *Config) { c.Platform.Buckets = append(c.Platform.Buckets, Bucket{Name: "logs"}) },
			`Buckets[logs].Name is "logs": every environment has a bucket of that name already: choose another`,
		},
		{
			"a rotation past Secrets Manager's limit",
			func(c *Config) { c.Platform.Secrets[0].RotateDays = 1001 },
			`Secrets[order-signing].RotateDays is 1001: choose 0 to 1000 days, or 0 for a value that a person puts in`,
		},
	})
}
