// Package boutique declares Online Boutique, Google's sample of eleven microservices that talk gRPC, with its load generator:
// https://github.com/GoogleCloudPlatform/microservices-demo
//
//	frontend -> checkoutservice -> paymentservice, emailservice, shippingservice, currencyservice, cartservice -> redis-cart
//	        \-> productcatalogservice <- recommendationservice, adservice
//	loadgenerator -> frontend
package boutique

import (
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

const (
	productCatalog = "productcatalogservice"
	currency       = "currencyservice"
	cart           = "cartservice"
	recommendation = "recommendationservice"
	shipping       = "shippingservice"
	checkout       = "checkoutservice"
	payment        = "paymentservice"
	email          = "emailservice"
	ad             = "adservice"
)

// addresses are where the services look for each other: the variable, and the address that Service Connect gives.
var addresses = map[string][2]string{
	productCatalog: {"PRODUCT_CATALOG_SERVICE_ADDR", "productcatalogservice:3550"},
	currency:       {"CURRENCY_SERVICE_ADDR", "currencyservice:7000"},
	cart:           {"CART_SERVICE_ADDR", "cartservice:7070"},
	recommendation: {"RECOMMENDATION_SERVICE_ADDR", "recommendationservice:8080"},
	shipping:       {"SHIPPING_SERVICE_ADDR", "shippingservice:50051"},
	checkout:       {"CHECKOUT_SERVICE_ADDR", "checkoutservice:5050"},
	payment:        {"PAYMENT_SERVICE_ADDR", "paymentservice:50051"},
	email:          {"EMAIL_SERVICE_ADDR", "emailservice:5000"},
	ad:             {"AD_SERVICE_ADDR", "adservice:9555"},
}

// Config is the system in one environment.
var Config = stacks.Config{
	Platform: stacks.Platform{
		Name:         "boutique",
		Architecture: service.X86,
		Services: []stacks.Service{
			frontend(productCatalog, currency, cart, recommendation, shipping, checkout, ad),
			grpc(checkout, 5050, productCatalog, shipping, payment, email, currency, cart),
			grpc(recommendation, 8080, productCatalog),
			grpc(productCatalog, 3550),
			grpc(currency, 7000),
			grpc(payment, 50051),
			grpc(shipping, 50051),
			grpc(email, 5000),
			grpc(ad, 9555),
			cartService(),
			{
				Name: "redis-cart", Kind: service.Internal,
				Container: service.Container{
					User: "1000:1000", Port: 6379, Protocol: service.TCP, Writable: []string{"/data"},
					HealthCommand: []string{"CMD", "redis-cli", "ping"},
				},
			},
			loadGenerator(),
		},
	},
	Shared: stacks.Shared{AccountID: "111122223333", Region: "eu-west-1"},
	Environments: []stacks.Environment{{
		Name: "demo", AccountID: "444455556666", Region: "eu-west-1",
		Network:  stacks.Network{CIDR: "10.40.0.0/16", Zones: []string{"eu-west-1a", "eu-west-1b"}},
		Capacity: cluster.Capacity{SpotPercent: 100},
		Size:     stacks.Size{CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 4},
		Sizes: map[string]stacks.Size{
			// It holds the carts: two would each have half of them.
			"redis-cart": {CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 1},
			// Its number of users is a variable, not a number of tasks.
			"loadgenerator": {CPU: 512, MemoryMiB: 1024, MinTasks: 1, MaxTasks: 1},
		},
		LogRetentionDays: 7,
	}},
}

func frontend(calls ...string) stacks.Service {
	return stacks.Service{
		Name: "frontend", Kind: service.Web, Path: "/", Calls: calls,
		Container: service.Container{User: "1000:1000", HealthCommand: service.NoHealthCommand, Environment: environment(calls,
			"ENABLE_PROFILER", "0",
			// The assistant is an option that needs Google's models: it is never called, but has to be named.
			"SHOPPING_ASSISTANT_SERVICE_ADDR", "shoppingassistantservice:80",
		)},
		Requests: service.Requests{HealthPath: "/_healthz", StickySeconds: 3600},
	}
}

// grpc is a service that answers gRPC. Its image holds no client to ask it for its health with: it is alive while it runs.
func grpc(name string, port int, calls ...string) stacks.Service {
	return stacks.Service{
		Name: name, Kind: service.Internal, Calls: calls,
		Container: service.Container{
			User: "1000:1000", Port: port, Protocol: service.GRPC, HealthCommand: service.NoHealthCommand,
			Environment: environment(calls, "DISABLE_PROFILER", "1"),
		},
	}
}

func cartService() stacks.Service {
	s := grpc(cart, 7070)
	s.Calls = []string{"redis-cart"}
	s.Container.Environment["REDIS_ADDR"] = "redis-cart:6379"
	return s
}

// loadGenerator visits the shop as ten users would, once it is there.
func loadGenerator() stacks.Service {
	const wait = `for i in 1 2 3 4 5 6 7 8 9 10 11 12; do wget -q -O /dev/null http://$FRONTEND_ADDR && exit 0; sleep 10; done; exit 1`
	return stacks.Service{
		Name: "loadgenerator", Kind: service.Internal, Calls: []string{"frontend"},
		Container: service.Container{
			User: "1000:1000", Port: 8089, HealthCommand: service.NoHealthCommand,
			Environment: map[string]string{"FRONTEND_ADDR": "frontend", "USERS": "10", "RATE": "1"},
			Sidecars: []service.Sidecar{{
				Name: "frontend-check", Image: "busybox:1.38.0", User: "1000:1000", Init: true,
				Command:     []string{"sh", "-c", wait},
				Environment: map[string]string{"FRONTEND_ADDR": "frontend"},
			}},
		},
	}
}

// environment tells a service where those are that it calls.
func environment(calls []string, more ...string) map[string]string {
	variables := map[string]string{}
	for _, name := range calls {
		variables[addresses[name][0]] = addresses[name][1]
	}
	for i := 0; i < len(more); i += 2 {
		variables[more[i]] = more[i+1]
	}
	return variables
}
