package bucket

import (
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/link"
)

// media is a bucket as New leaves it.
func media() *Bucket {
	return &Bucket{name: jsii.String("shop-dev-media"), arn: jsii.String("arn:media"), keyARN: jsii.String("arn:key")}
}

func onlyThisBucket(actions ...string) iam.Statement {
	return iam.Statement{Sid: "ObjectsKey", Actions: actions, Resources: []string{"arn:key"}, Conditions: []iam.Condition{{
		Test: "StringEquals", Variable: "kms:EncryptionContext:aws:s3:arn", Values: []string{"arn:media"},
	}}}
}

func TestALinkReachesTheObjectsOfItsPrefixOnly(t *testing.T) {
	for behaviour, tt := range map[string]struct{ got, want link.Link }{
		"reading": {
			media().Read("media", "pictures/"),
			link.Link{
				Name: "reads-media",
				Statements: []iam.Statement{
					{Sid: "Objects", Actions: []string{"s3:GetObject"}, Resources: []string{"arn:media/pictures/*"}},
					onlyThisBucket("kms:Decrypt"),
					{Sid: "Keys", Actions: []string{"s3:ListBucket"}, Resources: []string{"arn:media"}, Conditions: []iam.Condition{{
						Test: "StringLike", Variable: "s3:prefix", Values: []string{"pictures/*"},
					}}},
				},
				Environment: map[string]string{"BUCKET_MEDIA_NAME": "shop-dev-media", "BUCKET_MEDIA_PREFIX": "pictures/"},
			},
		},
		"reading all": {
			media().Read("media", ""),
			link.Link{
				Name: "reads-media",
				Statements: []iam.Statement{
					{Sid: "Objects", Actions: []string{"s3:GetObject"}, Resources: []string{"arn:media/*"}},
					onlyThisBucket("kms:Decrypt"),
					{Sid: "Keys", Actions: []string{"s3:ListBucket"}, Resources: []string{"arn:media"}},
				},
				Environment: map[string]string{"BUCKET_MEDIA_NAME": "shop-dev-media", "BUCKET_MEDIA_PREFIX": ""},
			},
		},
		"writing": {
			media().Write("media", "reports/"),
			link.Link{
				Name: "writes-media",
				Statements: []iam.Statement{
					{Sid: "Objects", Actions: []string{"s3:AbortMultipartUpload", "s3:PutObject"}, Resources: []string{"arn:media/reports/*"}},
					onlyThisBucket("kms:Decrypt", "kms:GenerateDataKey"),
				},
				Environment: map[string]string{"BUCKET_MEDIA_NAME": "shop-dev-media", "BUCKET_MEDIA_PREFIX": "reports/"},
			},
		},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", behaviour, diff)
		}
	}
}

func TestKeysThatS3ManagesTakeNoPermission(t *testing.T) {
	b := media()
	b.keyARN = nil
	for _, l := range []link.Link{b.Read("media", ""), b.Write("media", "")} {
		for _, s := range l.Statements {
			if s.Sid == "ObjectsKey" {
				t.Errorf("%s: %+v", l.Name, s)
			}
		}
	}
}
