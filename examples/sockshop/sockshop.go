// Package sockshop declares Sock Shop, Weaveworks' sample of a shop with its own databases and broker:
// https://github.com/microservices-demo/microservices-demo
//
//	front-end -> catalogue -> catalogue-db      orders -> orders-db, payment, user, carts, shipping -> rabbitmq <- queue-master
//	         \-> carts -> carts-db, user -> user-db, session-db
//
// The databases run as it brings them, in containers without a disk of their own: a sample's data may be lost.
package sockshop

import (
	"fmt"

	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/service"
	"aws-microservices/stacks"
)

// Config is the system in one environment, on EC2 instances.
var Config = stacks.Config{
	Platform: stacks.Platform{
		Name:         "sockshop",
		Architecture: service.X86,
		Services: []stacks.Service{
			{
				Name: "front-end", Kind: service.Web, Path: "/",
				Calls:     []string{"catalogue", "carts", "orders", "user", "session-db"},
				Container: service.Container{User: user, Port: 8079, HealthCommand: service.NoHealthCommand, Environment: map[string]string{"SESSION_REDIS": "true"}},
				Requests:  service.Requests{HealthPath: "/"},
			},
			goService("catalogue", "/app", "catalogue-db"),
			goService("payment", "/app"),
			userService(),
			javaService("carts", "carts-db"),
			javaService("orders", "orders-db", "carts", "payment", "shipping", "user"),
			javaService("shipping", "rabbitmq"),
			javaService("queue-master", "rabbitmq"),
			database("catalogue-db", 3306, map[string]string{"MYSQL_ALLOW_EMPTY_PASSWORD": "true", "MYSQL_DATABASE": "socksdb"},
				"/var/lib/mysql", "/var/run/mysqld", "/tmp"),
			database("carts-db", 27017, nil, "/data/db", "/data/configdb", "/tmp"),
			database("orders-db", 27017, nil, "/data/db", "/data/configdb", "/tmp"),
			database("user-db", 27017, nil, "/data/db", "/data/configdb", "/tmp"),
			database("session-db", 6379, nil, "/data"),
			broker(),
		},
	},
	Shared: stacks.Shared{AccountID: "111122223333", Region: "eu-west-1"},
	Environments: []stacks.Environment{{
		Name: "demo", AccountID: "777788889999", Region: "eu-west-1",
		Network: stacks.Network{CIDR: "10.50.0.0/16", Zones: []string{"eu-west-1a", "eu-west-1b"}},
		Capacity: cluster.Capacity{SpotPercent: 50, OnDemandBase: 1, EC2: &cluster.EC2{
			InstanceTypes: []string{"m6i.large", "m7i.large"}, MinInstances: 2, MaxInstances: 6,
		}},
		Size: stacks.Size{CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 4},
		Sizes: map[string]stacks.Size{
			"catalogue-db": alone, "carts-db": alone, "orders-db": alone, "user-db": alone, "session-db": alone, "rabbitmq": alone,
		},
		LogRetentionDays: 7,
	}},
}

// alone is the size of what holds data: a second one would hold other data.
var alone = stacks.Size{CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 1}

// user is whom the images run their services as.
const user = "10001:10001"

// port is where services listen: the images' own port 80 is for root, and callers use port 80 all the same, by Service Connect.
const port = 8080

func goService(name, binary string, calls ...string) stacks.Service {
	return stacks.Service{
		Name: name, Kind: service.Internal, Calls: calls,
		Container: service.Container{
			User: user, Port: port, Command: []string{binary, fmt.Sprintf("-port=%d", port)}, HealthCommand: service.NoHealthCommand,
		},
	}
}

func userService() stacks.Service {
	s := goService("user", "/user", "user-db")
	s.Container.Environment = map[string]string{"MONGO_HOST": "user-db:27017"}
	return s
}

func javaService(name string, calls ...string) stacks.Service {
	return stacks.Service{
		Name: name, Kind: service.Internal, Calls: calls,
		Container: service.Container{
			User: user, Port: port, HealthCommand: service.NoHealthCommand,
			// Appended to the image's own command, whose --port=80 it overrules.
			Command: []string{fmt.Sprintf("--server.port=%d", port)},
			Environment: map[string]string{
				"JAVA_OPTS": "-Xms64m -Xmx128m -XX:+UseG1GC -Djava.security.egd=file:/dev/urandom -Dspring.zipkin.enabled=false",
			},
		},
	}
}

// database runs as the user 999 that the official images of MongoDB, MySQL and Redis make.
func database(name string, port int, environment map[string]string, writable ...string) stacks.Service {
	return stacks.Service{
		Name: name, Kind: service.Internal,
		Container: service.Container{
			User: "999:999", Port: port, Protocol: service.TCP, HealthCommand: service.NoHealthCommand,
			Writable: writable, Environment: environment,
		},
	}
}

// broker is RabbitMQ with its metrics beside it.
func broker() stacks.Service {
	s := database("rabbitmq", 5672, nil, "/var/lib/rabbitmq", "/var/log/rabbitmq", "/tmp")
	s.Container.HealthCommand = []string{"CMD", "rabbitmqctl", "status"}
	s.Container.Sidecars = []service.Sidecar{{
		Name: "exporter", Image: "rabbitmq-exporter:1.0.0", Optional: true, MemoryMiB: 64,
	}}
	return s
}
