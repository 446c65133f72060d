package stacks

import (
	"aws-microservices/constructs/delivery"
	"aws-microservices/constructs/service"
)

// Shop is what we run. To add a microservice, add it here and its code under apps/: nothing else changes.
var Shop = Platform{
	Name:         "shop",
	Architecture: service.X86,
	Databases: []Database{
		{Name: "shop", MajorVersion: 17},
	},
	Topics: []Topic{
		{Name: "order-placed", Queues: []string{"mail", "to-ship"}},
	},
	Queues: []Queue{
		{Name: "mail", VisibilityTimeoutSeconds: 60},
		{Name: "to-ship", VisibilityTimeoutSeconds: 120},
	},
	Buckets: []Bucket{
		{Name: "media"},
	},
	Secrets: []Secret{
		{Name: "order-signing", RotateDays: 30},
		{Name: "payment-provider"},
	},
	Services: []Service{
		{
			Name: "catalog", Kind: service.Web, Path: "/api/catalog",
			Requests: service.Requests{PerMinute: 1200, SlowMillis: 500},
			Uses:     []string{"shop"}, ReadsFrom: []string{"media/pictures/"},
		},
		{
			Name: "orders", Kind: service.Web, Path: "/api/orders",
			Uses: []string{"shop"}, Publishes: []string{"order-placed"}, Calls: []string{"payments"}, Secrets: []string{"order-signing"},
		},
		{
			Name: "payments", Kind: service.Internal,
			SendsTo: []string{"mail"}, Secrets: []string{"payment-provider"}, Internet: true,
		},
		{
			Name: "mailer", Kind: service.Worker, Consumes: "mail",
			Backlog: service.Backlog{MessageSeconds: 0.5, MaxWaitSeconds: 600}, Uses: []string{"shop"}, WritesTo: []string{"media/mails/"},
		},
		{
			Name: "shipping", Kind: service.Worker, Consumes: "to-ship",
			Backlog: service.Backlog{MessageSeconds: 5, MaxWaitSeconds: 900}, Uses: []string{"shop"},
		},
		{
			Name: "report", Kind: service.Job, Schedule: "cron(0 4 * * ? *)",
			Reads: []string{"shop"}, WritesTo: []string{"media/reports/"},
		},
		{Name: "migrate", Kind: service.Task, Owns: []string{"shop"}},
	},
}

// All is the platform with what its environments share and all of them, in the order a change goes through them.
//
// The account ids are samples from AWS's documentation, the repository's from GitHub's: put your own in their place.
var All = Config{
	Platform: Shop,
	Shared: Shared{
		AccountID: "111122223333", Region: "eu-west-1",
		Repository: &delivery.Repository{Owner: "example-org", Name: "shop", OwnerID: "123456", ID: "456789", Branch: "main"},
	},
	Environments: []Environment{Dev, Staging, Prod},
}
