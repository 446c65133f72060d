package stacks

import "aws-microservices/constructs/service"

// Shop is what we run. To add a microservice, add it here and its code under apps/: nothing else changes.
var Shop = Platform{
	Name: "shop",
	Databases: []Database{
		{Name: "shop", MajorVersion: 17},
	},
	Queues: []Queue{
		{Name: "order-placed", VisibilityTimeoutSeconds: 60},
	},
	Services: []Service{
		{Name: "catalog", Kind: service.Web, Path: "/api/catalog", Uses: []string{"shop"}},
		{
			Name: "orders", Kind: service.Web, Path: "/api/orders",
			Uses: []string{"shop"}, SendsTo: []string{"order-placed"}, Calls: []string{"payments"},
		},
		{Name: "payments", Kind: service.Internal, Internet: true},
		{Name: "mailer", Kind: service.Worker, Consumes: "order-placed"},
		{Name: "report", Kind: service.Job, Schedule: "cron(0 4 * * ? *)", Uses: []string{"shop"}},
	},
}

// All is the platform with what its environments share and all of them, in the order a change goes through them.
//
// The account ids are samples from AWS's documentation: put your own in their place.
var All = Config{
	Platform:     Shop,
	Shared:       Shared{AccountID: "111122223333", Region: "eu-west-1"},
	Environments: []Environment{Dev, Staging, Prod},
}
