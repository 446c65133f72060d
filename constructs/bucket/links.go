package bucket

import (
	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/link"
)

// Read is the link of a service that reads the objects whose keys begin with prefix, all of them if it is empty, and lists
// their keys. name is the bucket's in its environment, e.g. "media".
func (b *Bucket) Read(name, prefix string) link.Link {
	list := iam.Statement{Sid: "Keys", Actions: []string{"s3:ListBucket"}, Resources: []string{*b.arn}}
	if prefix != "" {
		list.Conditions = []iam.Condition{{Test: "StringLike", Variable: "s3:prefix", Values: []string{prefix + "*"}}}
	}
	l := b.link("reads", name, prefix, []string{"s3:GetObject"}, "kms:Decrypt")
	l.Statements = append(l.Statements, list)
	return l
}

// Write is the link of a service that writes objects whose keys begin with prefix. It replaces but never deletes them: the
// versions before are kept for as long as the bucket says, and its ExpireDays removes what is old.
func (b *Bucket) Write(name, prefix string) link.Link {
	// An upload in parts reads the parts again.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
	return b.link("writes", name, prefix, []string{"s3:AbortMultipartUpload", "s3:PutObject"}, "kms:Decrypt", "kms:GenerateDataKey")
}

func (b *Bucket) link(verb, name, prefix string, actions []string, keyActions ...string) link.Link {
	l := link.Link{
		Name:       verb + "-" + name,
		Statements: []iam.Statement{{Sid: "Objects", Actions: actions, Resources: []string{b.ObjectsARN(prefix)}}},
		Environment: map[string]string{
			link.Variable("bucket", name, "name"):   *b.name,
			link.Variable("bucket", name, "prefix"): prefix,
		},
	}
	if b.keyARN != nil {
		l.Statements = append(l.Statements, iam.Statement{
			Sid: "ObjectsKey", Actions: keyActions, Resources: []string{*b.keyARN},
			// The bucket's ARN and not the object's, because of the bucket key.
			// https://docs.aws.amazon.com/AmazonS3/latest/userguide/configuring-bucket-key.html
			Conditions: []iam.Condition{{Test: "StringEquals", Variable: "kms:EncryptionContext:aws:s3:arn", Values: []string{*b.arn}}},
		})
	}
	return l
}
