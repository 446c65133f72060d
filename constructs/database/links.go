package database

import (
	"encoding/json"
	"fmt"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/link"
)

// Write is the link of a service that reads and writes. It logs in as the database role of its own name, with a token instead
// of a password: by the proxy, where there is one.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
func (d *Database) Write(service string) link.Link {
	return d.login("uses", service, d.front)
}

// Read is the link of a service that only reads. It logs in as the database role of its own name where the data is copied to;
// without copies, where writers do. Replicas are dealt out to the services in the order of Users.
func (d *Database) Read(service string) link.Link {
	if len(d.readers) == 0 {
		return d.login("reads", service, d.front)
	}
	return d.login("reads", service, d.readers[turn(d.props.Users, service)%len(d.readers)])
}

// turn counts the users before the service that only read as well.
func turn(users []User, service string) int {
	n := 0
	for _, u := range users {
		if u.Name == service {
			break
		}
		if u.ReadOnly {
			n++
		}
	}
	return n
}

func (d *Database) login(verb, service string, to endpoint) link.Link {
	user := databaseName(service)
	return link.Link{
		Name: verb + "-" + d.props.Name,
		Statements: []iam.Statement{{
			Sid:     "Database",
			Actions: []string{"rds-db:connect"},
			Resources: []string{fmt.Sprintf("arn:aws:rds-db:%s:%s:dbuser:%s/%s",
				d.props.Region, d.props.AccountID, *to.resourceID, user)},
		}},
		Environment: d.environment(to, user),
		Peer:        to.peer(),
	}
}

// Own is the link of the task that makes the schema and the roles. It logs in to the database itself as the master user, and
// puts the passwords it invents for the proxy's users into their secrets, as {"username": …, "password": …}.
func (d *Database) Own() link.Link {
	key := *d.props.Key.Arn()
	l := link.Link{
		Name: "owns-" + d.props.Name,
		Statements: []iam.Statement{
			{Sid: "Master", Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{*d.master}},
			{Sid: "MasterKey", Actions: []string{"kms:Decrypt"}, Resources: []string{key}, Conditions: []iam.Condition{ofSecrets(*d.master)}},
		},
		Environment: d.environment(d.writer, masterUser),
		Peer:        d.writer.peer(),
	}
	if secrets := d.secretARNs(); len(secrets) > 0 {
		l.Statements = append(l.Statements,
			iam.Statement{Sid: "Users", Actions: []string{"secretsmanager:PutSecretValue"}, Resources: secrets},
			iam.Statement{
				Sid: "UsersKey", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{key},
				Conditions: []iam.Condition{ofSecrets(secrets...)},
			},
		)
	}
	arns := map[string]string{}
	for user, secret := range d.secrets {
		arns[user] = *secret.Arn()
	}
	l.Environment[d.variable("secret_arn")] = *d.master
	l.Environment[d.variable("roles")] = roles(d.props.Users, arns)
	return l
}

// role is a database role that the owner makes for a service.
type role struct {
	Role   string `json:"role"`
	Access string `json:"access"`
	// Secret is the ARN of the secret of a role that the proxy logs in as, with a password; any other is granted rds_iam, which
	// rules a password out. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
	Secret string `json:"secret,omitempty"`
}

// roles lists them as JSON.
func roles(users []User, secretARNs map[string]string) string {
	rows := []role{}
	for _, u := range users {
		r := role{Role: databaseName(u.Name), Access: "read-write", Secret: secretARNs[u.Name]}
		if u.ReadOnly {
			r.Access = "read-only"
		}
		rows = append(rows, r)
	}
	text, err := json.Marshal(rows)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}

func (d *Database) environment(to endpoint, user string) map[string]string {
	return map[string]string{
		d.variable("host"): *to.host,
		d.variable("port"): fmt.Sprint(Port),
		d.variable("name"): databaseName(d.props.Name),
		d.variable("user"): user,
	}
}

func (d *Database) variable(what string) string { return link.Variable("database", d.props.Name, what) }

func (e endpoint) peer() *link.Peer {
	return &link.Peer{Name: e.name, SecurityGroupID: e.securityGroupID, Port: Port}
}
